import { openingRule } from "../../model/database-rule.ts";

/** Rules do not act for a user. */
export const rewriteRules = openingRule("rule", {
  name: "rls-rewrite-rules",
  title: "No rewrite rule acts with the privileges of the owner of its table",
  level: "mandatory",
  documentation:
    "The commands of a rule (`create rule`) run with the privileges of the owner of the rule's table, who is not subject to the policies of other tables. A rule that does nothing instead passes, unless it drops every row that is inserted into a table: a log or a queue then stays empty, and no statement fails.",
  references: [{ standard: "PostgreSQL manual", item: "39.5 Rules and Privileges" }],
});
