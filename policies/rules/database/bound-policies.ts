import { about, databaseRule, splinter, unanswered } from "../../model/database-rule.ts";

/** Policies of the API's roles let a user at nobody else's rows. */
export const boundPolicies = databaseRule(
  {
    name: "rls-policies-bound",
    title: "No policy of an API role lets a user at rows that are not the user's",
    level: "mandatory",
    documentation:
      "Found by evaluation, not by text: every table gets rows of two users, in variants that differ in the words that constraints and policies compare and in what may be null. Each permissive policy's USING and WITH CHECK expressions are then asked, as `anon` and as the one user, about the other one's rows. An expression that lets one of them through is always true, or bound to the state of the row and not to its owner. The back end's roles (`service_role` and those of the migrations) are not API roles.",
    references: splinter("0024 permissive_rls_policy"),
  },
  function* (database) {
    for (const policy of database.policies) {
      const name = `${policy.table} policy ${policy.name}`;
      for (const evaluation of policy.evaluations) {
        const clause = evaluation.expression === "using" ? "USING" : "WITH CHECK";
        if (evaluation.error !== undefined) {
          yield unanswered(policy, `${clause} cannot be evaluated as ${evaluation.role}: ${evaluation.error}`, name);
          continue;
        }
        const extent =
          evaluation.passed === evaluation.rows ? "every one" : `${evaluation.passed} of ${evaluation.rows}`;
        yield about(
          policy,
          evaluation.passed === 0,
          `${clause} lets ${evaluation.role} at ${extent} of somebody else's rows`,
          "compare a column of the row with (select auth.uid())",
          name,
        );
      }
    }
  },
);
