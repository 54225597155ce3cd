import { about, databaseRule, splinter, unanswered } from "../../model/database-rule.ts";

/** Policies give a user of the API access only to that user's rows. */
export const boundPolicies = databaseRule(
  {
    name: "rls-policies-bound",
    title: "No policy gives an API role access to rows of other users",
    level: "mandatory",
    documentation:
      "The rule evaluates the policies instead of reading their text. Every table gets rows of two users, in variants that differ in the values that constraints and policies compare and in which columns are null. The USING and WITH CHECK expressions of each permissive policy are then evaluated, as `anon` and as one user, for the rows of the other user. An expression that accepts such a row is always true, or depends on the state of the row and not on its owner. The roles of the back end (`service_role` and those of the migrations) are not API roles.",
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
        const extent = evaluation.passed === evaluation.rows ? "all" : `${evaluation.passed} of ${evaluation.rows}`;
        yield about(
          policy,
          evaluation.passed === 0,
          `${clause} gives ${evaluation.role} access to ${extent} of the rows of another user`,
          "compare the owner column of the row with (select auth.uid())",
          name,
        );
      }
    }
  },
);
