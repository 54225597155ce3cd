import { about, databaseRule } from "../../model/database-rule.ts";

/** Policies do not make every query a scan. */
export const policyIndexes = databaseRule(
  {
    name: "rls-policy-indexes",
    title: "A column that policies compare has an index",
    level: "advisory",
    documentation:
      "A policy is a condition of every query of its roles; looked at are those of the API's roles. Counted is an index with the column in first place. At least one column of each policy has to have one.",
    references: [{ standard: "Supabase documentation", item: "RLS performance: add indexes" }],
  },
  function* (database) {
    for (const policy of database.policies) {
      if (!policy.roles.some((role) => role === "public" || role === "anon" || role === "authenticated")) continue;
      if (policy.columns.length === 0 || !policy.commands.some((command) => command !== "insert")) continue;
      yield about(
        policy,
        policy.unindexed.length < policy.columns.length,
        `no index starts with ${policy.unindexed.join(" or ")}`,
        `create an index on ${policy.table} that does`,
        `${policy.table} policy ${policy.name}`,
      );
    }
  },
);
