import { about, databaseRule, splinter } from "../../model/database-rule.ts";
import type { Proof, ProofFailure } from "../../database/facts.ts";
import { identifier, literal } from "../../database/postgres.ts";
import { qualified } from "../../database/catalog.ts";

const VERBS = { select: "reads", insert: "inserts", update: "changes", delete: "deletes" } as const;
const DECLARES = { select: "readable", insert: "insertable", update: "updatable", delete: "deletable" } as const;

/** Row-level security is proved, not searched for known faults. */
export const provedPolicies = databaseRule(
  {
    name: "rls-proved",
    title: "Every way in which a policy lets a row through ties the row to the caller, or is declared",
    level: "mandatory",
    documentation:
      "The rule parses the policies of the final catalog, inlines SQL functions, simple PL/pgSQL functions and views, and brings the policies of each table, API role and command into disjunctive normal form. Each alternative must tie the row to the caller: a column, array or path equals `auth.uid()` or another claim that users cannot set; or rows of other tables lead from the row to the caller, and no user can write such a row for himself; or the caller works for the project, by `app_metadata` or by a table that users cannot write. `user_metadata`, `email`, `role`, `aal`, `is_anonymous` and request headers tie nothing. What is meant to be open is declared in the comment of the table, one line each: `readable by anyone when status = 'published'`. Verbs are readable, insertable, updatable, deletable and writable; after `by` come `anyone` or names of API roles; without `when`, all rows are open. For a table of Supabase, on which a project may not comment, the line stands in a migration: `-- storage.objects: readable by anyone when bucket_id = 'avatars'`. The proof then holds the policy to the declaration, and the report lists all declarations.",
    references: splinter("0024 permissive_rls_policy", "0015 rls_references_user_metadata"),
    notApplicable: () => "no policy applies to an API role",
  },
  function* (database) {
    for (const { table, text, source, error } of database.declarations)
      if (error !== undefined)
        yield about(
          { name: table, ...(source === undefined ? {} : { source }) },
          false,
          `the declaration \`${text}\` cannot be read: ${error}`,
          `comment on table ${qualified(table)} is 'readable by anyone when …';`,
        );
    for (const proof of database.proofs) {
      if (proof.failures.length === 0) yield about({ name: proof.table }, true, "", "");
      for (const failure of proof.failures)
        yield about(
          { name: proof.table, ...(failure.source === undefined ? {} : { source: failure.source }) },
          false,
          messageOf(proof, failure),
          fixOf(proof, failure),
          `${proof.table} policy ${failure.policy}`,
        );
    }
  },
);

function messageOf({ role, command, clause }: Proof, { alternative, why }: ProofFailure): string {
  const rows = command === "update" ? (clause === "using" ? "rows that it changes" : "rows that it writes") : "rows";
  const admitted = alternative === "" ? "" : ` where ${alternative}`;
  return `${role} ${VERBS[command]} ${rows}${admitted}: ${why}`;
}

/** A statement that PostgreSQL accepts, and after it, as a comment, the declaration of what is meant. */
export function fixOf({ table, role, command, clause, owner }: Proof, { policy, alternative }: ProofFailure): string {
  const on = `${identifier(policy)} on ${qualified(table)}`;
  const closed =
    owner === undefined
      ? `drop policy ${on};`
      : `alter policy ${on} ${clause === "using" ? "using" : "with check"} ((select auth.uid()) = ${identifier(owner)});`;
  const isCondition = alternative !== "" && !/\ba row of |\b(query|rows|count|case)\(/.test(alternative);
  // What the policy reads of other rows is not a condition on this one: the declaration is then about all rows.
  const when = isCondition && alternative !== "true" ? ` when ${alternative}` : "";
  const declared = `${DECLARES[command]} by ${role}${when}`;
  return `${closed} -- or, if it is meant${declaration(table, declared)}`;
}

/** Only Supabase may comment on its own tables. */
function declaration(table: string, declared: string): string {
  return /^(auth|realtime|storage)\./.test(table)
    ? `, the line: -- ${table}: ${declared}`
    : `: comment on table ${qualified(table)} is ${literal(declared)};`;
}
