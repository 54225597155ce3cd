import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import type { Failure } from "../../../contract/failure.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { RolloutContext } from "../ports/context.ts";
import type { HistoryEntry } from "../model/journal.ts";

/** A rollout without its transitions. */
export interface RolloutSummary {
  readonly rollout: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** user@host. */
  readonly who: string;
  /** Reason that a person gave for the rollout; empty if none. */
  readonly reason: string;
  readonly candidate: Slot;
  readonly image: string;
  /** `kept`: the rollback failed, and the candidate keeps the users. */
  readonly outcome: "completed" | "rolled-back" | "kept" | "under-way";
  /** Label of its last state. */
  readonly state: string;
  /** Why and where it was rolled back; absent if it was not. */
  readonly rollback?: Rollback;
  /** Until the candidate had all users permanently, or the stable slot had them again. */
  readonly seconds: number;
}

/** A rollback of a rollout. */
export interface Rollback {
  /** Label of the state in which it began. */
  readonly from: string;
  /** Reason that a person gave; empty if none. */
  readonly reason: string;
  /** What failed, if a failure caused it. */
  readonly failure?: Failure;
}

/** The newest rollouts. */
export interface RolloutHistory {
  /** Oldest first. */
  readonly rollouts: readonly RolloutSummary[];
  /** Number of all rollouts in the history. */
  readonly total: number;
}

/** One rollout with its transitions. */
export interface RolloutDetail extends RolloutSummary {
  /** Transitions with weights and the gates' verdicts, oldest first. */
  readonly entries: readonly HistoryEntry[];
}

/** The newest rollouts. @param last how many. @default 10 */
export async function rolloutHistory(context: RolloutContext, last = 10): Promise<RolloutHistory> {
  const rollouts = groups(await context.journal.history());
  return { rollouts: rollouts.slice(-last).map(summaryOf), total: rollouts.length };
}

/**
 * One rollout.
 *
 * @param name its identifier, or enough of its beginning or its end
 * @throws UserError `not-found` if the name fits no rollout, or more than one
 */
export async function rolloutDetail(context: RolloutContext, name: string): Promise<RolloutDetail> {
  const fitting = groups(await context.journal.history()).filter(
    ([first]) => first?.rollout.startsWith(name) === true || first?.rollout.endsWith(name),
  );
  const [only, ...others] = fitting;
  if (only !== undefined && others.length === 0) return { ...summaryOf(only), entries: only };
  throw new UserError(
    "not-found",
    `rollout ${name}`,
    only === undefined ? "does not exist" : `${String(fitting.length)} rollouts have that name`,
    fix`${command("rollout history")} lists them`,
  );
}

/** The transitions of one rollout, oldest first. */
export async function entriesOf({ journal }: RolloutContext, rollout: string): Promise<readonly HistoryEntry[]> {
  return (await journal.history()).filter((entry) => entry.rollout === rollout);
}

/** The summary of one rollout's entries, which are oldest first. */
export function summaryOf(entries: readonly HistoryEntry[]): RolloutSummary {
  const [first] = entries;
  const last = entries.at(-1);
  if (first === undefined || last === undefined) throw new Error("a rollout has at least one entry");
  const stable = SLOTS.find((slot) => first.weights[slot] === 100) ?? "blue";
  const candidate = otherSlot(stable);
  const index = entries.findIndex(({ to }) => to === "rollback");
  const back = entries[index];
  // The hooks of its end run after it.
  const moves = entries.filter(({ hook }) => hook === undefined);
  const settled = moves.findLast(({ to }) => to === "standby" || (to === "idle" && back !== undefined)) ?? last;
  const common = {
    ...{ rollout: first.rollout, startedAt: first.at, who: first.who, reason: first.reason, candidate },
    ...{ image: first.images[candidate] ?? "?", state: last.label },
    seconds: (Date.parse(settled.at) - Date.parse(first.at)) / 1000,
  };
  if (back === undefined) {
    const completed = entries.some(({ to }) => to === "standby");
    return { ...common, outcome: completed ? "completed" : "under-way" };
  }
  const rollback: Rollback = {
    ...{ from: entries[index - 1]?.label ?? back.from, reason: back.reason },
    ...(back.failure === undefined ? {} : { failure: back.failure }),
  };
  if (last.to !== "idle") return { ...common, outcome: "under-way", rollback };
  return { ...common, outcome: last.weights[candidate] === 100 ? "kept" : "rolled-back", rollback };
}

/** The entries by rollout, in their order. */
function groups(entries: readonly HistoryEntry[]): (readonly HistoryEntry[])[] {
  // An entry without a rollout, such as a repair of the table, belongs to none.
  const rollouts = entries.filter(({ rollout }) => rollout !== "");
  return [...Map.groupBy(rollouts, ({ rollout }) => rollout).values()];
}
