import { about, databaseRule } from "../../model/database-rule.ts";

/** Row-level security holds for the tables' owner too. */
export const rowSecurityForced = databaseRule(
  {
    name: "rls-forced",
    title: "Row-level security is forced on every table",
    level: "mandatory",
    documentation:
      "Without `FORCE ROW LEVEL SECURITY` the owner of a table sees every row, and so does every SECURITY DEFINER function and every view of that owner.",
    references: [
      { standard: "PostgreSQL manual", item: "5.9 Row Security Policies" },
      { standard: "pgrls", item: "force" },
    ],
  },
  function* (database) {
    for (const table of database.tables)
      yield about(
        table,
        table.forced,
        `row-level security is not forced on ${table.kind} ${table.name}`,
        `alter table ${table.name} force row level security;`,
      );
  },
);
