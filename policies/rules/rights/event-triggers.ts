import { openingRule } from "../../model/database-rule.ts";

/** Nothing runs when the schema changes. */
export const eventTriggers = openingRule("event-trigger", {
  name: "event-triggers",
  title: "The migrations create no event trigger",
  level: "mandatory",
  documentation:
    "An event trigger runs with the privileges of the role that changes the schema: that of the next migration, or a role of Supabase.",
  references: [{ standard: "PostgreSQL manual", item: "38.1 Overview of Event Trigger Behavior" }],
});
