import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** How PostgreSQL writes a call that is evaluated once per statement. */
const ONCE =
  /\( ?SELECT (?:auth\.\w+\(\)|current_setting\((?:[^()]|\([^()]*\))*\)|CURRENT_USER|"?current_user"?)(?: AS \w+)?\)/gi;
const CALL = /\bauth\.\w+\(|\bcurrent_setting\(/i;

/** Claims are read once per statement. */
export const perRowCalls = databaseRule(
  {
    name: "rls-per-row-calls",
    title: "Policies read the claims once per statement and not once per row",
    level: "advisory",
    documentation:
      "`auth.uid()` in a policy is called for every row that is looked at; `(select auth.uid())` once for the statement.",
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
