import { about, databaseRule } from "../../model/database-rule.ts";

/** Rows stay what the policies take them for. */
export const ownerConstraints = databaseRule(
  {
    name: "owner-constraints",
    title: "Constraints that hold other columns to the owner of the row stay",
    level: "mandatory",
    documentation:
      "A policy ties a row to its owner; a check, a foreign key of several columns or a generated column ties the rest of the row to that owner: a path to the owner's folder, a message to one of the owner's conversations. Without it, who may write the row can name an object of another user, which the service then follows with its own rights. A finding is a constraint over a column that says whose the row is and another column, if it is removed, not enforced, its triggers are disabled, or another constraint on the same columns has a way past it. Dropping the columns themselves is not a finding.",
    references: [{ standard: "OWASP API Security 2023", item: "API1 Broken Object Level Authorization" }],
    notApplicable: () => "the migrations create no tables",
  },
  function* (database) {
    for (const table of database.tables) yield about(table, true, "", "");
    for (const lost of database.lostConstraints) yield about(lost, false, lost.message, lost.fix);
  },
);
