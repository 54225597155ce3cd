import { openingRule } from "../../model/database-rule.ts";

/** What policies rest on is not replaced. */
export const supabaseObjects = openingRule("supabase", {
  name: "supabase-objects",
  title: "The objects of Supabase and of extensions are as they were made",
  level: "mandatory",
  documentation:
    "`auth.uid()` and the other functions that policies call, the tables of `auth`, `storage`, `realtime` and `vault`, their owners, row-level security and privileges are compared before and after the migrations, and so are those of extensions such as `pg_cron` and `pg_net`. New policies on them are judged as those of other tables, new triggers by `rls-triggers`.",
  references: [{ standard: "Supabase documentation", item: "Restricted access to auth, storage and realtime schemas" }],
});
