import { openingRule } from "../../model/database-rule.ts";

/** Configuration in the database opens nothing. */
export const roleSettings = openingRule("setting", {
  name: "role-settings",
  title: "Settings of roles and of the database change no rights",
  level: "mandatory",
  documentation:
    "PostgREST reads its configuration from settings of the role `authenticator` (`pgrst.db_schemas`, `pgrst.db_anon_role`, `pgrst.db_pre_request`). A setting of an API role applies to each request, and every role can read settings of the database. Time-outs, memory, logs and the planner may be set; the API may expose `public` and `graphql_public`.",
  references: [{ standard: "PostgREST documentation", item: "In-Database Configuration" }],
});
