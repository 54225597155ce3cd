import type { DatabaseRule, Place, Reference, Verdict } from "./rule.ts";
import { judgeAt } from "./rule.ts";
import { UnknownTruth } from "./truth.ts";
import type { Located } from "../database/facts.ts";

type Text = Pick<DatabaseRule, "name" | "title" | "documentation" | "references" | "level"> &
  Partial<Pick<DatabaseRule, "levelIn" | "notApplicable">>;

/** A rule about the database. What cannot be asked of it fails: a database of one's own has no secrets from its owner. */
export function databaseRule(text: Text, check: DatabaseRule["check"]): DatabaseRule {
  return { onUnknown: "fail", ...text, scope: "database", check };
}

/** The place of a table, policy, view or function: the statement that made it. */
export function placeOf(located: Located, object = located.name): Place {
  return { object, path: "", ...(located.source === undefined ? {} : { source: located.source }) };
}

/** The verdict about something of the database. */
export function about(located: Located, holds: boolean, message: string, fix: string, object = located.name): Verdict {
  return judgeAt(placeOf(located, object), holds, message, fix);
}

/** A question that the database did not answer. */
export function unanswered(located: Located, error: string, object = located.name): Verdict {
  return judgeAt(placeOf(located, object), new UnknownTruth([]), error, "");
}

/** Lints of Supabase's splinter, by number and name. */
export function splinter(...items: readonly string[]): readonly Reference[] {
  return items.map((item) => ({ standard: "splinter", item }));
}
