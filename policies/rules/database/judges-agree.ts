import { about, databaseRule } from "../../model/database-rule.ts";

/** The proof and the probes check each other. */
export const judgesAgree = databaseRule(
  {
    name: "rls-judges-agree",
    title: "No probe reaches a row where the proof says that policies let none through",
    level: "mandatory",
    documentation:
      "The proof reads the policies, and the probes run them on a real PostgreSQL with rows of two users. Where the policies of a command are proved and a probe still reaches rows of another user, one of the two judges is wrong, or something other than the policies gives access.",
    references: [{ standard: "PostgreSQL manual", item: "5.9 Row Security Policies" }],
    notApplicable: () => "no policy applies to an API role",
  },
  function* (database) {
    for (const probe of database.probes) {
      if (probe.error !== undefined || probe.rows === 0) continue;
      const proofs = database.proofs.filter(
        ({ table, role, command }) => table === probe.table && role === probe.role && command === probe.command,
      );
      if (proofs.length === 0 || probe.command === "insert") continue;
      yield about(
        { name: probe.table, ...(probe.source === undefined ? {} : { source: probe.source }) },
        probe.reached === 0 || proofs.some(({ failures }) => failures.length > 0),
        `the policies for ${probe.command} as ${probe.role} are proved, and the probe reaches ${probe.reached} of ${probe.rows} rows of another user`,
        `select * from pg_policies where schemaname || '.' || tablename = '${probe.table}';`,
      );
    }
  },
);
