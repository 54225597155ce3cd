import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Every table has row-level security. */
export const rowSecurity = databaseRule(
  {
    name: "rls-enabled",
    title: "Row-level security is enabled on every table",
    level: "mandatory",
    documentation:
      "After all migrations, `pg_class.relrowsecurity` is true for every table that they created, in all schemas. Partitions are included: if a query names a partition directly, its own policies apply and not those of its parent. Foreign tables do not support row-level security, so no API role may read or write them.",
    references: splinter("0013 rls_disabled_in_public", "0017 foreign_table_in_api", "0007 policy_exists_rls_disabled"),
  },
  function* (database) {
    for (const table of database.tables)
      yield table.kind === "foreign table"
        ? about(
            table,
            table.readers.length === 0,
            `${table.readers.join(", ")} can read foreign table ${table.name}, which cannot have policies`,
            `revoke all on ${table.name} from ${table.readers.join(", ")};`,
          )
        : about(
            table,
            table.rowSecurity,
            `row-level security is off on ${table.kind} ${table.name}`,
            `alter table ${table.name} enable row level security;`,
          );
  },
);
