import { openingRule } from "../../model/database-rule.ts";

/** What policies rest on is not replaced. */
export const supabaseObjects = openingRule("supabase", {
  name: "supabase-objects",
  title: "The objects of Supabase are as Supabase made them",
  level: "mandatory",
  documentation:
    "`auth.uid()` and the other functions that policies call, the tables of `auth`, `storage`, `realtime` and `vault`, their owners, row-level security and privileges are compared before and after the migrations. New policies on them are judged as those of other tables, new triggers by `rls-triggers`.",
  references: [{ standard: "Supabase documentation", item: "Restricted access to auth, storage and realtime schemas" }],
});
