import { openingRule } from "../../model/database-rule.ts";

/** A request changes no definition. */
export const owners = openingRule("owner", {
  name: "api-roles-own-nothing",
  title: "API roles own nothing, can create nothing and pass no right on",
  level: "mandatory",
  documentation:
    "The owner of a table can switch its row-level security off. A role that can create objects in a schema can put a function or an operator before that of PostgreSQL. A right with grant option, or a membership with admin option, lets a role give it to every other one, such as `anon`.",
  references: [{ standard: "PostgreSQL manual", item: "5.8 Privileges" }],
});
