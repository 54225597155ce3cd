import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** A function is called by those it was written for. */
export const publicFunctions = databaseRule(
  {
    name: "function-public-grants",
    title: "Functions are not executable by PUBLIC",
    level: "mandatory",
    documentation:
      "PostgreSQL lets everybody execute a new function, and a role that is made later is somebody: the right is taken back from PUBLIC and given by name. Functions of triggers are left out: they cannot be called.",
    references: [
      { standard: "CIS PostgreSQL", item: "4.3 excessive function privileges" },
      ...splinter("0028 anon_security_definer_function_executable"),
    ],
    notApplicable: () => "the migrations make no functions",
  },
  function* (database) {
    for (const made of database.functions)
      if (!made.trigger)
        yield about(
          made,
          !made.everybody,
          `everybody may execute ${made.name}`,
          `revoke execute on function ${made.name} from public;`,
        );
  },
);
