import { about, databaseRule, unanswered } from "../../model/database-rule.ts";

const VERBS = {
  select: "reads",
  insert: "inserts",
  update: "changes",
  delete: "deletes",
  "give away": "gives its own rows to",
} as const;

/** One user cannot reach another's rows, by whatever way. */
export const isolation = databaseRule(
  {
    name: "rls-isolation",
    title: "Neither anon nor another user reaches a user's rows by any command",
    level: "mandatory",
    documentation:
      "Each table holds rows of two users. As `anon`, and as the one user, the four commands are tried on the other's rows, and one's own rows are given to the other. UPDATE and DELETE name no rows: a WHERE would bring the policies for reading into play and hide a hole beside them. This sees the whole: policies together, privileges, and tables without row-level security.",
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
      const object = probe.command === "give away" ? "somebody else" : "somebody else's rows";
      yield about(
        located,
        probe.reached === 0,
        `${probe.role} ${VERBS[probe.command]} ${object} (${probe.reached} of ${probe.rows})`,
        "narrow the table's policies and privileges",
      );
    }
  },
);
