import { qualified } from "../../database/catalog.ts";
import { identifier } from "../../database/postgres.ts";
import { about, databaseRule } from "../../model/database-rule.ts";

/** Policies check the rows that are written. */
export const writeChecks = databaseRule(
  {
    name: "rls-write-checks",
    title: "Policies that allow writing have a WITH CHECK expression",
    level: "mandatory",
    documentation:
      "For an UPDATE policy without WITH CHECK, PostgreSQL applies USING to the new row. A later change to who can read a row then also changes who can write it.",
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
        policy.using === undefined
          ? "add with check (…)"
          : `alter policy ${identifier(policy.name)} on ${qualified(policy.table)} with check (${policy.using});`,
        `${policy.table} policy ${policy.name}`,
      );
    }
  },
);
