import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Declared privileges of `anon` and PUBLIC by table: currently none. A new one must be declared here. */
const DECLARED: Readonly<Record<string, readonly string[]>> = {};

/** Visitors without an account have declared privileges only. */
export const anonGrants = databaseRule(
  {
    name: "grants-anon",
    title: "anon and PUBLIC have only declared privileges on tables and sequences",
    level: "mandatory",
    documentation:
      "Supabase's default privileges grant new tables to `anon`, which leaves row-level security as the only protection. The privileges of `anon` are declared in the rule; currently there are none.",
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
