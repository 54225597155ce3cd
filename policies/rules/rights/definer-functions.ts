import type { Function, Policy } from "../../database/facts.ts";
import { identifier } from "../../database/postgres.ts";
import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Functions do not bypass the policies. */
export const definerFunctions = databaseRule(
  {
    name: "rls-definer-functions",
    title: "No API role can call a function that runs with its owner's privileges and gives it more than its own rows",
    level: "mandatory",
    documentation:
      "A SECURITY DEFINER function reads and writes as its owner. PostgreSQL grants EXECUTE on a new function to PUBLIC. This privilege must be revoked, or the function must be in a schema that API roles cannot use. There, nothing but policies may call it: a view, a `begin atomic` body, an aggregate, an operator, a cast or a default calls it for an API role nevertheless. A function passes that gives its caller nothing but what is his: it only reads, has its own `search_path`, and each query in it, of each table, takes rows of which a column equals `auth.uid()` or another claim that users cannot set.",
    references: splinter(
      "0028 anon_security_definer_function_executable",
      "0029 authenticated_security_definer_function_executable",
    ),
    notApplicable: () => "the migrations create no functions",
  },
  function* (database) {
    for (const made of database.functions)
      yield about(
        made,
        !made.definer || made.trigger || made.callers.length === 0 || made.ownRows === true,
        `${made.name} runs with its owner's privileges and can be called by ${made.callers.join(", ")}`,
        fixOf(made, database.policies),
      );
    for (const opening of database.openings)
      if (opening.kind === "definer") yield about(opening, false, opening.message, opening.fix);
  },
);

/** A policy calls it with the privileges of the caller, and needs no privilege on its schema. */
function fixOf({ name, signature, callers }: Function, policies: readonly Policy[]): string {
  const schema = name.slice(0, name.indexOf("."));
  if (!policies.some(({ calls }) => calls.includes(name)))
    return `revoke execute on function ${signature} from public, ${callers.join(", ")};`;
  return schema === "public"
    ? `create schema if not exists private; alter function ${signature} set schema private;`
    : `revoke usage on schema ${identifier(schema)} from public, ${callers.join(", ")};`;
}
