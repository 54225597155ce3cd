import { about, databaseRule } from "../../model/database-rule.ts";

/** Row-level security applies to the owner of a table too. */
export const rowSecurityForced = databaseRule(
  {
    name: "rls-forced",
    title: "Row-level security is forced on every table",
    level: "mandatory",
    documentation:
      "Without `FORCE ROW LEVEL SECURITY`, the owner of a table can access all rows, and so can all SECURITY DEFINER functions and views of that owner.",
    references: [
      { standard: "PostgreSQL manual", item: "5.9 Row Security Policies" },
      { standard: "pgrls", item: "force" },
    ],
  },
  function* (database) {
    for (const table of database.tables) {
      if (table.kind === "foreign table") continue;
      yield about(
        table,
        table.forced,
        `row-level security is not forced on ${table.kind} ${table.name}`,
        `alter table ${table.name} force row level security;`,
      );
    }
  },
);
