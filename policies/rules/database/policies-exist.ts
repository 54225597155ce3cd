import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Whoever may use a table can use some of its rows. */
export const tablesWithPolicies = databaseRule(
  {
    name: "rls-policies-exist",
    title: "Every table with row-level security has a policy",
    level: "advisory",
    documentation:
      "A table without any is closed to everybody but roles that bypass row-level security. That is safe, and most often an oversight.",
    references: splinter("0008 rls_enabled_no_policy"),
  },
  function* (database) {
    const named = new Set(database.policies.map((policy) => policy.table));
    for (const table of database.tables) {
      // Rows of a partition are reached through its parent.
      if (!table.rowSecurity || table.kind === "partition") continue;
      yield about(
        table,
        named.has(table.name),
        `${table.name} has no policy: nobody reaches a row`,
        "create a policy, or drop the table",
      );
    }
  },
);
