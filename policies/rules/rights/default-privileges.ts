import { openingRule } from "../../model/database-rule.ts";

/** What is created later is closed. */
export const defaultPrivileges = openingRule("default-privilege", {
  name: "default-privileges",
  title: "The migrations give API roles no privileges on future objects",
  level: "mandatory",
  documentation:
    "Default privileges open each later table, sequence or function without a statement that says so. Those that Supabase itself has set are not judged, unless a migration sets them again.",
  references: [{ standard: "CIS PostgreSQL", item: "4.3 excessive function privileges" }],
});
