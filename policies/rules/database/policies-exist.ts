import { PARKED_SCHEMA } from "../../../contract/sql/parked.ts";
import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Tables with row-level security are usable. */
export const tablesWithPolicies = databaseRule(
  {
    name: "rls-policies-exist",
    title: "Every table with row-level security has a policy",
    level: "advisory",
    documentation:
      "Without a policy, only roles that bypass row-level security can read or write the table. This is safe, but usually an oversight.",
    references: splinter("0008 rls_enabled_no_policy"),
  },
  function* (database) {
    const named = new Set(database.policies.map((policy) => policy.table));
    for (const table of database.tables) {
      // Rows of a partition are reached through its parent.
      if (!table.rowSecurity || table.kind === "partition") continue;
      // Parked values are for the owner alone.
      if (table.name.startsWith(`${PARKED_SCHEMA}.`)) continue;
      yield about(
        table,
        named.has(table.name),
        `${table.name} has no policy, so no API role can use it`,
        "create a policy, or drop the table",
      );
    }
  },
);
