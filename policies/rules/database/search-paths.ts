import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Functions resolve names independently of their caller. */
export const searchPaths = databaseRule(
  {
    name: "function-search-paths",
    title: "Functions set their own search_path",
    level: "mandatory",
    documentation:
      "Otherwise, a caller who can create a table or an operator in a schema decides what the names in the function refer to; with SECURITY DEFINER, the caller thereby gains the privileges of the owner.",
    references: splinter("0011 function_search_path_mutable"),
    notApplicable: () => "the migrations create no functions",
  },
  function* (database) {
    for (const made of database.functions)
      yield about(
        made,
        made.searchPath !== undefined,
        `${made.name} uses the search_path of its caller`,
        `alter function ${made.name} set search_path = '';`,
      );
  },
);
