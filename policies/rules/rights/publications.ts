import { openingRule } from "../../model/database-rule.ts";

/** Rows are not published past the policies. */
export const publications = openingRule("publication", {
  name: "rls-publications",
  title: "Only supabase_realtime publishes tables, and none of Supabase",
  level: "mandatory",
  documentation:
    "A subscriber of a publication gets rows without policies. Supabase's Realtime reads `supabase_realtime` and applies the policies of the tables in it; a publication of all tables has those of `auth` too.",
  references: [{ standard: "PostgreSQL manual", item: "29.1 Publication" }],
});
