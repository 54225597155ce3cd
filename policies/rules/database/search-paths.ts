import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Functions mean the objects that their author meant. */
export const searchPaths = databaseRule(
  {
    name: "function-search-paths",
    title: "Functions set their own search_path",
    level: "mandatory",
    documentation:
      "Without one a caller who can make a table or an operator in a schema of their own decides what the function's names mean; with SECURITY DEFINER that is the owner's rights.",
    references: splinter("0011 function_search_path_mutable"),
    notApplicable: () => "the migrations make no functions",
  },
  function* (database) {
    for (const made of database.functions)
      yield about(
        made,
        made.searchPath !== undefined,
        `${made.name} takes the caller's search_path`,
        `alter function ${made.name} set search_path = '';`,
      );
  },
);
