import { about, databaseRule, splinter } from "../../model/database-rule.ts";

const EDITABLE = /user_metadata|raw_user_meta_data/i;

/** No policy trusts what users write about themselves. */
export const userClaims = databaseRule(
  {
    name: "rls-user-claims",
    title: "No policy reads claims that users can edit",
    level: "mandatory",
    documentation:
      "`user_metadata` in the token, and `raw_user_meta_data` in `auth.users`, are changed by the user through the API. The expressions are read, and the bodies of the functions that they call, however deep.",
    references: splinter("0015 rls_references_user_metadata"),
  },
  function* (database) {
    for (const policy of database.policies) {
      const texts = [policy.using ?? "", policy.check ?? "", ...policy.bodies];
      yield about(
        policy,
        !texts.some((text) => EDITABLE.test(text)),
        "it reads a claim that users can edit",
        "use app_metadata, or a table of the project",
        `${policy.table} policy ${policy.name}`,
      );
    }
  },
);
