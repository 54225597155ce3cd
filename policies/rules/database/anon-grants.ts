import type { DeclaredAccess, Grant } from "../../database/facts.ts";
import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Visitors without an account have declared privileges only. */
export const anonGrants = databaseRule(
  {
    name: "grants-anon",
    title: "anon and PUBLIC have only declared privileges on tables and sequences",
    level: "mandatory",
    documentation:
      "Supabase's default privileges grant new tables to `anon`, which leaves row-level security as the only protection. A privilege of `anon` is declared in the comment of the table, e.g. `readable by anyone when status = 'published'`.",
    references: splinter("0026 pg_graphql_anon_table_exposed"),
  },
  function* (database) {
    for (const grant of database.grants) {
      const open = grant.role === "anon" || grant.role === "public";
      const undeclared = open
        ? grant.privileges.filter((privilege) => !isDeclared(database.declarations, grant, privilege))
        : [];
      yield about(
        grant,
        undeclared.length === 0,
        `${grant.role} has ${undeclared.join(", ")} on ${grant.kind} ${grant.name}`,
        `revoke ${undeclared.join(", ")} on ${grant.name} from ${grant.role};`,
        `${grant.name} to ${grant.role}`,
      );
    }
  },
);

/** PUBLIC includes roles that are created later, so nothing is declared for it. `privilege` may name a column: `select (title)`. */
function isDeclared(declarations: readonly DeclaredAccess[], { name, role }: Grant, privilege: string): boolean {
  return declarations.some(
    ({ table, roles, commands, error }) =>
      error === undefined &&
      table === name &&
      roles.includes(role) &&
      commands.some((command) => command === privilege.split(" ")[0]),
  );
}
