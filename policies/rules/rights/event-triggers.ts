import { openingRule } from "../../model/database-rule.ts";

/** What runs when the schema changes opens nothing. */
export const eventTriggers = openingRule("event-trigger", {
  name: "event-triggers",
  title: "An event trigger only reports a change of the schema, refuses it, or closes what it made",
  level: "mandatory",
  documentation:
    "An event trigger runs with the privileges of the role that changes the schema: that of the next migration, or a role of Supabase. Its function may raise an exception, notify, insert rows, revoke privileges, comment, and enable row-level security, as in the usual trigger that does so for each new table. Anything else is a finding, and so is SQL that it builds from other parts than constants, quoted names and `object_identity`.",
  references: [{ standard: "PostgreSQL manual", item: "38.1 Overview of Event Trigger Behavior" }],
});
