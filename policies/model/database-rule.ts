import type { DatabaseRule, Place, Reference, Verdict } from "./rule.ts";
import { judgeAt } from "./rule.ts";
import type { Database, Located, OpeningKind, Statement } from "../database/facts.ts";

type Text = Pick<DatabaseRule, "name" | "title" | "documentation" | "references" | "level"> &
  Partial<Pick<DatabaseRule, "levelIn" | "notApplicable">>;

/** A rule about the database. A question without an answer is a finding, since the database is a scratch one without unknown values. */
export function databaseRule(text: Text, check: DatabaseRule["check"]): DatabaseRule {
  return {
    onUnknown: "fail",
    ...text,
    scope: "database",
    *check(database) {
      const known = new Set<string>();
      for (const verdict of check(database)) {
        if (verdict.outcome === "fail") known.add(`${verdict.place.object} ${verdict.message}`);
        yield verdict;
      }
      // What a migration does elsewhere is judged by the rules that are about rights.
      if (text.level === "mandatory" && !text.name.startsWith("migration-"))
        for (const { database: other, conditions, answer } of database.alternatives)
          for (const verdict of check(other))
            if (verdict.outcome === "fail" && !known.has(`${verdict.place.object} ${verdict.message}`))
              yield { ...verdict, message: `${verdict.message}, where ${conditions.join(", or ")} is ${answer}` };
    },
  };
}

/** A rule about one kind of {@link Opening}: each of them is a finding. */
export function openingRule(kind: OpeningKind, text: Text): DatabaseRule {
  return databaseRule(text, function* ({ openings }) {
    yield judgeAt({ object: "database", path: "" }, true, "", "");
    for (const opening of openings)
      if (opening.kind === kind) yield about(opening, false, opening.message, opening.fix);
  });
}

/** The statements that run on a database with users; files of `[db.seed]` run on a new one. */
export function statementsOfMigrations({ migrations, statements }: Database): readonly Statement[] {
  return statements.filter(({ source }) => migrations.includes(source.file));
}

/** The place of a table, policy, view or function: the statement that created it. */
export function placeOf(located: Located, object = located.name): Place {
  return { object, path: "", ...(located.source === undefined ? {} : { source: located.source }) };
}

/** The verdict about an object of the database. */
export function about(located: Located, holds: boolean, message: string, fix: string, object = located.name): Verdict {
  return judgeAt(placeOf(located, object), holds, message, fix);
}

/** The verdict if the database did not answer: a policy that fails for every row is itself a fault. */
export function unanswered(located: Located, error: string, object = located.name): Verdict {
  return judgeAt(placeOf(located, object), false, error, remedyOf(error));
}

function remedyOf(error: string): string {
  const table = /infinite recursion detected in policy for relation "([^"]+)"/.exec(error)?.[1];
  if (table !== undefined)
    return `read ${table} in a SECURITY DEFINER function outside of the exposed schemas, and call it in the policy: a policy that reads its table asks itself`;
  const denied = /permission denied for (\w+ )?([\w.]+)/.exec(error)?.[2];
  if (denied !== undefined)
    return `read ${denied} in a SECURITY DEFINER function outside of the exposed schemas, or grant the privilege: a policy reads with the privileges of the caller`;
  return "change the table or the policy so that a row can be tried; EXAI_POSTGRES_URL selects a server with the extensions that it needs";
}

/** Lints of Supabase's splinter, by number and name. */
export function splinter(...items: readonly string[]): readonly Reference[] {
  return items.map((item) => ({ standard: "splinter", item }));
}
