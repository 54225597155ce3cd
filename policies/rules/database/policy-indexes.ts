import { about, databaseRule } from "../../model/database-rule.ts";

/** Policies can use an index. */
export const policyIndexes = databaseRule(
  {
    name: "rls-policy-indexes",
    title: "A column that policies compare has an index",
    level: "advisory",
    documentation:
      "A policy is a condition of each query of its roles; the rule checks policies of API roles. At least one column of each policy must be the first column of an index.",
    references: [{ standard: "Supabase documentation", item: "RLS performance: add indexes" }],
  },
  function* (database) {
    const own = new Set(database.tables.map(({ name }) => name));
    for (const policy of database.policies) {
      // Only its owner can create an index on a table of Supabase.
      if (!own.has(policy.table)) continue;
      if (!policy.roles.some((role) => ["public", ...database.apiRoles].includes(role))) continue;
      if (policy.columns.length === 0 || !policy.commands.some((command) => command !== "insert")) continue;
      yield about(
        policy,
        policy.unindexed.length < policy.columns.length,
        `no index starts with ${policy.unindexed.join(" or ")}`,
        `create such an index on ${policy.table}`,
        `${policy.table} policy ${policy.name}`,
      );
    }
  },
);
