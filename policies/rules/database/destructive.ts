import { basename } from "node:path";
import { migrationKind } from "../../../contract/sql/migration.ts";
import { about, databaseRule, statementsOfMigrations } from "../../model/database-rule.ts";

/** Migrations do not remove what a running release may read. */
export const destructive = databaseRule(
  {
    name: "migration-destructive",
    title: "Only a contract migration removes what an earlier migration created",
    level: "advisory",
    levelIn: { prod: "mandatory" },
    documentation:
      "While two slots run, the previous release reads the previous schema. The rule compares tables, columns and types of earlier files before and after each statement; TRUNCATE counts too, and so does a deletion after which no row is left: each deletion is tried on made-up rows, since a condition may hold for all of them (`length(body) >= 0`, a date in the future, a join over a required key). So do an UPDATE without a condition, or a new type, that gives all rows of an earlier column a value that does not come from the row, and a table that is no longer logged, which a restore has empty. A file with the word `contract` in its name (`…_contract_drop_title.sql`) declares that no release needs the removed objects.",
    references: [{ standard: "squawk", item: "ban-drop-column, ban-drop-table, changing-column-type" }],
  },
  function* (database) {
    for (const statement of statementsOfMigrations(database))
      yield about(
        { name: statement.text.slice(0, 60), source: statement.source },
        statement.removed.length === 0 || migrationKind(basename(statement.source.file)) === "contract",
        `it removes ${statement.removed.join(", ")}`,
        fixOf(statement.removed),
      );
  },
);

function fixOf(removed: readonly string[]): string {
  const contract = "move the statement to a later file with the word contract in its name";
  if (removed.some((each) => each.startsWith("the write-ahead log of ")))
    return "leave the table logged: a crash, a restore or a replica has an unlogged table empty";
  return removed.every((each) => each.startsWith("every value of "))
    ? `change only the rows that lack the value (where … is null), or ${contract}`
    : contract;
}
