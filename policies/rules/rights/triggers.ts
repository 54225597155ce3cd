import { openingRule } from "../../model/database-rule.ts";

/** Triggers do not act for a user with more than the row. */
export const definerTriggers = openingRule("trigger", {
  name: "rls-triggers",
  title: "Triggers with other privileges keep to their row",
  level: "mandatory",
  documentation:
    "A trigger whose function is SECURITY DEFINER acts as the function's owner, for any role that writes the row. The rule reads the function and what it calls. It may insert values, and read, change and delete rows that are compared with NEW, OLD or `auth.uid()`; anything else is a finding.",
  references: [{ standard: "PostgreSQL manual", item: "37.1 Trigger Behavior" }],
});
