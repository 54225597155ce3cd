import { about, databaseRule, splinter } from "../../model/database-rule.ts";

/** Only named roles execute functions. */
export const publicFunctions = databaseRule(
  {
    name: "function-public-grants",
    title: "Functions are not executable by PUBLIC",
    level: "mandatory",
    documentation:
      "PostgreSQL grants EXECUTE on a new function to PUBLIC, which includes roles that are created later. The privilege must be revoked from PUBLIC and granted to roles by name. Trigger functions are not checked, since they cannot be called.",
    references: [
      { standard: "CIS PostgreSQL", item: "4.3 excessive function privileges" },
      ...splinter("0028 anon_security_definer_function_executable"),
    ],
    notApplicable: () => "the migrations create no functions",
  },
  function* (database) {
    for (const made of database.functions)
      if (!made.trigger)
        yield about(
          made,
          !made.public,
          `PUBLIC has EXECUTE on ${made.signature}`,
          `revoke execute on ${made.kind === "procedure" ? "procedure" : "function"} ${made.signature} from public;`,
          made.signature,
        );
  },
);
