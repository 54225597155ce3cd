import { openingRule, splinter } from "../../model/database-rule.ts";

/** Files of users are behind policies. */
export const publicBuckets = openingRule("bucket", {
  name: "storage-public-buckets",
  title: "No bucket of Supabase Storage is public, unless that is declared",
  level: "mandatory",
  documentation:
    "Supabase serves the files of a public bucket to everyone who has their URL, and asks no policy. The rule reads the rows of `storage.buckets` after all migrations, however they were written, and finds functions that make buckets public. Only Supabase may comment on its tables; so what is meant is declared by a line of a migration: `-- storage.objects: readable by anyone when bucket_id = 'avatars'`. It holds for policies of `storage.objects` too.",
  references: splinter("0025 public_bucket_allows_listing"),
});
