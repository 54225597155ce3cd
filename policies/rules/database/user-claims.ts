import { about, databaseRule, splinter } from "../../model/database-rule.ts";

const EDITABLE = /user_metadata|raw_user_meta_data/i;

/** Policies do not trust data that users can edit. */
export const userClaims = databaseRule(
  {
    name: "rls-user-claims",
    title: "No policy reads claims that users can edit",
    level: "mandatory",
    documentation:
      "Users can change `user_metadata` in the token and `raw_user_meta_data` in `auth.users` through the API. The rule reads the expressions of policies, and the bodies of the functions that they call directly or indirectly.",
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
