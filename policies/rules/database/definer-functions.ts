import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** No function around the policies. */
export const definerFunctions = databaseRule(
  {
    name: "rls-definer-functions",
    title: "No API role calls a function that runs with its owner's rights",
    level: "mandatory",
    documentation:
      "A SECURITY DEFINER function reads and writes as its owner. PostgreSQL gives everybody the right to call a new function, so the right has to be taken back, or the function kept in a schema that the API's roles cannot use.",
    references: splinter(
      "0028 anon_security_definer_function_executable",
      "0029 authenticated_security_definer_function_executable",
    ),
    notApplicable: () => "the migrations make no functions",
  },
  function* (database) {
    for (const made of database.functions)
      yield about(
        made,
        !made.definer || made.trigger || made.callers.length === 0,
        `${made.name} runs with its owner's rights and may be called by ${made.callers.join(", ")}`,
        `revoke execute on function ${made.name} from public, ${made.callers.join(", ")};`,
      );
  },
);
