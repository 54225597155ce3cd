import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** How PostgreSQL prints a call that is evaluated once per statement. */
const ONCE =
  /\( ?SELECT (?:auth\.\w+\(\)|current_setting\((?:[^()]|\([^()]*\))*\)|CURRENT_USER|"?current_user"?)(?: AS \w+)?\)/gi;
const CALL = /\bauth\.\w+\(|\bcurrent_setting\(/i;

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
    for (const policy of database.policies) {
      const bare = [policy.using ?? "", policy.check ?? ""].map((text) => text.replaceAll(ONCE, ""));
      yield about(
        policy,
        !bare.some((text) => CALL.test(text)),
        "it reads a claim once per row",
        "write (select auth.uid())",
        `${policy.table} policy ${policy.name}`,
      );
    }
  },
);
