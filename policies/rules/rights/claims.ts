import { openingRule } from "../../model/database-rule.ts";

/** What policies trust is written by PostgREST alone. */
export const claimWriters = openingRule("claims", {
  name: "rls-claim-writers",
  title: "No request can change its claims or its role",
  level: "mandatory",
  documentation:
    "Policies trust `request.jwt.claims` and the role. A function that a request or a trigger runs must not set them (`set_config`, `set role`), nor execute a text that is not a constant: PostgREST connects as `authenticator`, which may become `service_role`. The rule follows the functions that a function calls by reading them. Nor may a hook of Supabase Auth make claims from metadata that users choose (`user_metadata`), and nor may a trigger write such metadata into a column by which policies recognize staff (`profiles.role = 'admin'`), unless a `case` limits it to other constants.",
  references: [{ standard: "PostgREST documentation", item: "Transaction settings" }],
});
