import { SLOTS, otherSlot } from "../../../contract/slots.ts";
import { EXIT, UserError } from "../../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../../contract/events.ts";
import type { RolloutContext } from "../ports/context.ts";
import type { HistoryEntry } from "../model/journal.ts";
import { failureText, verdictText } from "../../notify/wording.ts";
import { span } from "./span.ts";
import { tableLabel } from "../model/labels.ts";

export interface HistoryOptions {
  /** How many of the newest rollouts. @default 10 */
  readonly last?: number;
  /** One rollout with everything that is known of it: its identifier, or enough of its beginning or its end. */
  readonly rollout?: string;
}

/**
 * Who released what, when, why, and how it ended; one rollout with its transitions, weights and what the gates said.
 *
 * @throws UserError where no rollout, or more than one, goes by the name
 */
export async function* history(context: RolloutContext, options: HistoryOptions = {}): Verb {
  const rollouts = groups(await context.journal.history());
  if (options.rollout !== undefined) return yield* detail(named(rollouts, options.rollout));
  const shown = rollouts.slice(-(options.last ?? 10)).map(summaryOf);
  if (shown.length === 0) {
    yield { type: "note", level: "info", message: "no rollout yet" };
    yield { type: "result", title: "no rollouts", data: [] };
    return EXIT.ok;
  }
  yield {
    type: "table",
    columns: ["rollout", "who", "image", "took", "outcome", "why"],
    rows: shown.map(({ rollout, who, image, seconds, outcome, ending, reason }) => [
      ...[rollout, who, image, span(seconds), ending === "" ? outcome : `${outcome} (${ending})`, reason],
    ]),
  };
  const last = shown.at(-1)?.rollout ?? "";
  yield {
    type: "result",
    title: `${String(shown.length)} of ${String(rollouts.length)} rollouts`,
    data: shown,
    next: [`./exai rollout history ${last}`],
  };
  return EXIT.ok;
}

function* detail(entries: readonly HistoryEntry[]): Generator<ExaiEvent, number, void> {
  const summary = summaryOf(entries);
  const begin = Date.parse(entries[0]?.at ?? "");
  yield {
    type: "table",
    title: `${summary.rollout}: ${summary.image} into ${summary.candidate}, by ${summary.who}${summary.reason === "" ? "" : `: ${summary.reason}`}`,
    columns: ["after", "who", "to", "weights", "why"],
    rows: entries.map((entry) => [
      span((Date.parse(entry.at) - begin) / 1000),
      entry.who,
      entry.label,
      tableLabel(entry),
      entry.failure === undefined ? entry.reason : failureText(entry.failure),
    ]),
  };
  const verdicts = entries.flatMap((entry) => entry.verdicts.map((verdict) => ({ entry, verdict })));
  if (verdicts.length > 0) {
    yield {
      type: "table",
      title: "the gates",
      columns: ["before", "gate", "outcome", "figures"],
      rows: verdicts.map(({ entry, verdict }) => [entry.label, verdict.gate, verdict.verdict, verdictText(verdict)]),
    };
  }
  yield {
    type: "result",
    title: `${summary.outcome}${summary.ending === "" ? "" : ` (${summary.ending})`} after ${span(summary.seconds)}`,
    data: { ...summary, entries },
  };
  return EXIT.ok;
}

/** One rollout in a line. */
export interface RolloutSummary {
  readonly rollout: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly who: string;
  readonly reason: string;
  readonly candidate: string;
  readonly image: string;
  readonly outcome: "completed" | "taken back" | "rollback failed" | "under way";
  /** Where it was taken back and why, or where it is; empty when it completed. */
  readonly ending: string;
  /** Until its candidate had all users for good, or the stable slot had them back. */
  readonly seconds: number;
}

/** What the entries of one rollout come to, oldest first. */
export function summaryOf(entries: readonly HistoryEntry[]): RolloutSummary {
  const [first] = entries;
  const last = entries.at(-1);
  if (first === undefined || last === undefined) throw new Error("a rollout has at least one entry");
  const stable = SLOTS.find((slot) => first.weights[slot] === 100) ?? "blue";
  const candidate = otherSlot(stable);
  const index = entries.findIndex(({ to }) => to === "rollback");
  const back = entries[index];
  const settled = entries.findLast(({ to }) => to === "standby" || (to === "idle" && back !== undefined)) ?? last;
  const common = {
    ...{ rollout: first.rollout, startedAt: first.at, who: first.who, reason: first.reason, candidate },
    image: first.images[candidate] ?? "?",
    seconds: (Date.parse(settled.at) - Date.parse(first.at)) / 1000,
  };
  if (back !== undefined) {
    const ending = `in ${entries[index - 1]?.label ?? back.from}: ${back.failure === undefined ? back.reason : failureText(back.failure)}`;
    if (last.to !== "idle") return { ...common, outcome: "under way", ending };
    const kept = last.weights[candidate] === 100;
    return { ...common, outcome: kept ? "rollback failed" : "taken back", ending };
  }
  const completed = entries.some(({ to }) => to === "standby");
  return completed
    ? { ...common, outcome: "completed", ending: "" }
    : { ...common, outcome: "under way", ending: last.label };
}

/** The entries by rollout, in their order. */
function groups(entries: readonly HistoryEntry[]): (readonly HistoryEntry[])[] {
  const found = new Map<string, HistoryEntry[]>();
  for (const entry of entries) {
    // What moved the table outside a rollout, such as a repair, belongs to none.
    if (entry.rollout === "") continue;
    const group = found.get(entry.rollout);
    if (group === undefined) found.set(entry.rollout, [entry]);
    else group.push(entry);
  }
  return [...found.values()];
}

function named(rollouts: readonly (readonly HistoryEntry[])[], name: string): readonly HistoryEntry[] {
  const fitting = rollouts.filter(
    ([first]) => first?.rollout.startsWith(name) === true || first?.rollout.endsWith(name),
  );
  const [only, ...others] = fitting;
  if (only !== undefined && others.length === 0) return only;
  throw new UserError(
    "not-found",
    `rollout ${name}`,
    only === undefined ? "there is none" : `${String(fitting.length)} rollouts go by that name`,
    "./exai rollout history   # lists them",
  );
}
