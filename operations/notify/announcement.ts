import { SLOTS, otherSlot, type Slot, type Weights } from "../../contract/slots.ts";
import type { HistoryEntry } from "../rollout/model/journal.ts";
import type { Verdict } from "../../contract/verdict.ts";
import type { Failure } from "../../contract/failure.ts";

/**
 * What is announced. Other transitions (deploy, smoke test, …) are only in the history.
 * - `started`: a rollout starts. - `step`: the candidate has another weight. - `bake`: it has all users, under gates.
 * - `approval`: it waits for an approval. - `completed`: it has all users; the stable slot stays warm.
 * - `rollback`: the stable slot gets the users back. - `rolled-back`: it has all users again.
 * - `kept`: the rollback failed, and the candidate keeps the users.
 */
export type AnnouncementKind =
  "started" | "step" | "bake" | "approval" | "completed" | "rollback" | "rolled-back" | "kept";

/** One transition of a rollout, for people and programs that did not start it. */
export interface Announcement {
  /** `<rollout>-<sequence>`: the same on every try, so that a receiver can detect a repetition. */
  readonly id: string;
  readonly kind: AnnouncementKind;
  readonly stack: string;
  readonly rollout: string;
  /** ISO 8601. */
  readonly at: string;
  /** user@host. */
  readonly who: string;
  /** Reason that a person gave; empty if none. */
  readonly reason: string;
  /** What failed, if a failure caused it. */
  readonly failure?: Failure;
  readonly stable: Slot;
  readonly candidate: Slot;
  /** The candidate's image. */
  readonly image: string;
  readonly weights: Weights;
  /** The gates' verdicts; empty if none were evaluated. */
  readonly verdicts: readonly Verdict[];
}

/**
 * The announcement of a transition; undefined if it is not announced.
 *
 * @param before the entries of the same rollout before this one
 */
export function announcementOf(
  stack: string,
  entry: HistoryEntry,
  before: readonly HistoryEntry[],
): Announcement | undefined {
  const first = before[0] ?? entry;
  const last = before.at(-1);
  // A pause, and a promotion from it, are in the history too, and do not move users.
  if (last?.to === entry.to && sameWeights(last.weights, entry.weights)) return undefined;
  // The rollout's first entry is from before any user was moved.
  const stable = SLOTS.find((slot) => first.weights[slot] === 100) ?? "blue";
  const candidate = otherSlot(stable);
  const kind = kindOf(entry, candidate);
  if (kind === undefined) return undefined;
  const image = entry.images[candidate] ?? first.images[candidate] ?? "?";
  const { rollout, sequence, at, who, reason, failure, weights, verdicts } = entry;
  return {
    ...{ id: `${rollout}-${String(sequence)}`, kind, stack, rollout, at, who, reason },
    ...(failure === undefined ? {} : { failure }),
    ...{ stable, candidate, image, weights, verdicts },
  };
}

function sameWeights(a: Weights, b: Weights): boolean {
  return SLOTS.every((slot) => a[slot] === b[slot]);
}

function kindOf({ from, to, weights }: HistoryEntry, candidate: Slot): AnnouncementKind | undefined {
  switch (to) {
    case "prepare":
      return "started";
    case "shift":
      return "step";
    case "approve":
      return "approval";
    case "bake":
      return "bake";
    case "standby":
      return "completed";
    case "rollback":
      return from === "rollback" ? undefined : "rollback";
    case "idle":
      if (from !== "rollback") return undefined;
      return weights[candidate] === 100 ? "kept" : "rolled-back";
    default:
      return undefined;
  }
}
