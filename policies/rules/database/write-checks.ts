import { about, databaseRule } from "../../model/database-rule.ts";

/** What is written is judged as it will be. */
export const writeChecks = databaseRule(
  {
    name: "rls-write-checks",
    title: "Policies that allow writing say WITH CHECK",
    level: "mandatory",
    documentation:
      "For UPDATE without WITH CHECK PostgreSQL applies USING to the new row. That is right by accident; a later change to who may see a row then changes who may write it.",
    references: [
      { standard: "PostgreSQL manual", item: "CREATE POLICY" },
      { standard: "pgrls", item: "with check" },
    ],
    notApplicable: () => "no policy allows writing",
  },
  function* (database) {
    for (const policy of database.policies) {
      if (!policy.permissive || !policy.commands.some((command) => command === "insert" || command === "update"))
        continue;
      yield about(
        policy,
        policy.check !== undefined,
        "it allows writing without WITH CHECK",
        "add with check (…)",
        `${policy.table} policy ${policy.name}`,
      );
    }
  },
);
