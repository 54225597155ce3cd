import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Policies read claims once per statement. */
export const perRowCalls = databaseRule(
  {
    name: "rls-per-row-calls",
    title: "Policies read claims once per statement, not once per row",
    level: "advisory",
    documentation:
      "A policy calls `auth.uid()` for each row that it checks, but evaluates `(select auth.uid())` once per statement.",
    references: splinter("0003 auth_rls_initplan"),
  },
  function* (database) {
    for (const policy of database.policies)
      yield about(
        policy,
        !policy.perRow,
        "it reads a claim once per row",
        "write (select auth.uid())",
        `${policy.table} policy ${policy.name}`,
      );
  },
);
