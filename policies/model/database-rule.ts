import type { DatabaseRule, Place, Reference, Verdict } from "./rule.ts";
import { judgeAt } from "./rule.ts";
import { UnknownTruth } from "./truth.ts";
import type { Located } from "../database/facts.ts";

type Text = Pick<DatabaseRule, "name" | "title" | "documentation" | "references" | "level"> &
  Partial<Pick<DatabaseRule, "levelIn" | "notApplicable">>;

/** A rule about the database. A question without an answer is a finding, since the database is a scratch one without unknown values. */
export function databaseRule(text: Text, check: DatabaseRule["check"]): DatabaseRule {
  return { onUnknown: "fail", ...text, scope: "database", check };
}

/** The place of a table, policy, view or function: the statement that created it. */
export function placeOf(located: Located, object = located.name): Place {
  return { object, path: "", ...(located.source === undefined ? {} : { source: located.source }) };
}

/** The verdict about an object of the database. */
export function about(located: Located, holds: boolean, message: string, fix: string, object = located.name): Verdict {
  return judgeAt(placeOf(located, object), holds, message, fix);
}

/** The verdict if the database did not answer. */
export function unanswered(located: Located, error: string, object = located.name): Verdict {
  return judgeAt(placeOf(located, object), new UnknownTruth([]), error, "");
}

/** Lints of Supabase's splinter, by number and name. */
export function splinter(...items: readonly string[]): readonly Reference[] {
  return items.map((item) => ({ standard: "splinter", item }));
}
