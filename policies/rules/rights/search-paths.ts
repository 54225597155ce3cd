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
        // An aggregate cannot have settings; its functions do.
        made.searchPath !== undefined || made.kind === "aggregate",
        `${made.signature} uses the search_path of its caller`,
        `alter ${made.kind} ${made.signature} set search_path = '';`,
        made.signature,
      );
  },
);
