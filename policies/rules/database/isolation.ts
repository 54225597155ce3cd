import { about, databaseRule, unanswered } from "../../model/database-rule.ts";

const VERBS = {
  select: "reads",
  insert: "inserts",
  update: "changes",
  delete: "deletes",
  "give away": "assigns its own rows to",
} as const;

/** A user cannot reach rows of another user with any command. */
export const isolation = databaseRule(
  {
    name: "rls-isolation",
    title: "Neither anon nor another user reaches the rows of a user with any command",
    level: "mandatory",
    documentation:
      "Each table gets rows of two users. As `anon`, and as one of the users, the rule tries the four commands on the rows of the other user, and tries to assign its own rows to the other user. UPDATE and DELETE have no WHERE clause: with one, the policies for reading would also apply and could hide a fault. The result covers all policies together, privileges, and tables without row-level security.",
    references: [{ standard: "OWASP API Security 2023", item: "API1 Broken Object Level Authorization" }],
  },
  function* (database) {
    for (const probe of database.probes) {
      const located = { name: probe.table, ...(probe.source === undefined ? {} : { source: probe.source }) };
      if (probe.error !== undefined) {
        yield unanswered(located, `${probe.command} cannot be tried as ${probe.role}: ${probe.error}`);
        continue;
      }
      if (probe.rows === 0) continue;
      const object = probe.command === "give away" ? "another user" : "rows of another user";
      yield about(
        located,
        probe.reached === 0,
        `${probe.role} ${VERBS[probe.command]} ${object} (${probe.reached} of ${probe.rows})`,
        "restrict the policies and privileges of the table",
      );
    }
  },
);
