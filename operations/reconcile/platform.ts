// Names of Supabase:
// cspell:ignore pgbouncer pgmq pgsodium pgtle supavisor

import { PARKED_SCHEMA } from "../../contract/sql/parked.ts";

/**
 * Schemas that Supabase, the local image or the Supabase CLI bring, and that of parked values. They are not part of the project's
 * schema, and they are not compared.
 */
export const PLATFORM_SCHEMAS: readonly string[] = [
  ...[
    "_analytics",
    "_realtime",
    "_supavisor",
    "auth",
    "cron",
    "etl",
    "exai_local",
    PARKED_SCHEMA,
    "extensions",
    "graphql",
  ],
  ...["graphql_public", "net", "pgbouncer", "pgmq", "pgmq_public", "pgsodium", "pgsodium_masks", "pgtle", "realtime"],
  ...["storage", "supabase_functions", "supabase_migrations", "vault"],
];

/** Extensions that Supabase enables in every project. */
export const PLATFORM_EXTENSIONS: readonly string[] = [
  ...["pg_graphql", "pg_stat_statements", "pgsodium", "plpgsql", "supabase_vault"],
];

/** Roles that Supabase creates in every project; their attributes are not the project's. */
export const PLATFORM_ROLES =
  "^(pg_|supabase_|pgsodium_|pgtle_|cli_login_)|^(anon|authenticated|authenticator|dashboard_user|pgbouncer|postgres|service_role)$";
