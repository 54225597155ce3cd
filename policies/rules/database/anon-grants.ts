import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Tables that `anon` may use, with the privileges: none. Whoever opens one declares it here. */
const DECLARED: Readonly<Record<string, readonly string[]>> = {};

/** Visitors without an account get nothing that nobody declared. */
export const anonGrants = databaseRule(
  {
    name: "grants-anon",
    title: "anon and PUBLIC have no privilege on a table or sequence that is not declared",
    level: "mandatory",
    documentation:
      "Supabase's default privileges give new tables to `anon`; then row-level security is all that is left. What `anon` may use is declared in the rule itself, and that is nothing.",
    references: splinter("0026 pg_graphql_anon_table_exposed"),
  },
  function* (database) {
    for (const grant of database.grants) {
      const open = grant.role === "anon" || grant.role === "public";
      const undeclared = open
        ? grant.privileges.filter((privilege) => !(DECLARED[grant.name] ?? []).includes(privilege))
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
