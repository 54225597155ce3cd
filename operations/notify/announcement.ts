import { SLOTS, otherSlot, type Slot, type Weights } from "../../contract/slots.ts";
import type { HistoryEntry } from "../rollout/model/journal.ts";
import type { Verdict } from "../../contract/verdict.ts";
import type { Failure } from "../../contract/failure.ts";

/** What is worth telling. The other transitions (deploy, smoke test, …) are in the history. */
export type AnnouncementKind = "started" | "step" | "approval" | "rollback" | "rolled-back" | "kept" | "completed";

/** One transition of a rollout, told to those who did not start it. */
export interface Announcement {
  /** `<rollout>-<sequence>`: the same on every try, so that a receiver can tell a repetition. */
  readonly id: string;
  readonly kind: AnnouncementKind;
  readonly stack: string;
  readonly rollout: string;
  /** One sentence without the stack. */
  readonly title: string;
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
  /** What the gates said, with their numbers; empty where none was asked. */
  readonly verdicts: readonly Verdict[];
}

/**
 * What a transition is to those who did not start it; undefined where it is no news to them.
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
  // A pause, or a promotion from it, is in the history as well, and leaves the users where they are.
  if (last?.to === entry.to && sameWeights(last.weights, entry.weights)) return undefined;
  // The rollout's first entry is from before any user was moved.
  const stable = SLOTS.find((slot) => first.weights[slot] === 100) ?? "blue";
  const candidate = otherSlot(stable);
  const image = entry.images[candidate] ?? first.images[candidate] ?? "?";
  const told = tell(entry, stable, candidate, image);
  if (told === undefined) return undefined;
  const { rollout, sequence, at, who, reason, failure, weights, verdicts } = entry;
  return {
    ...{ id: `${rollout}-${String(sequence)}`, ...told, stack, rollout, at, who, reason },
    ...(failure === undefined ? {} : { failure }),
    ...{ stable, candidate, image, weights, verdicts },
  };
}

function sameWeights(a: Weights, b: Weights): boolean {
  return SLOTS.every((slot) => a[slot] === b[slot]);
}

function tell(
  entry: HistoryEntry,
  stable: Slot,
  candidate: Slot,
  image: string,
): Pick<Announcement, "kind" | "title"> | undefined {
  const { from, to, weights } = entry;
  switch (to) {
    case "prepare":
      return { kind: "started", title: `a rollout begins: ${image} into ${candidate}` };
    case "shift":
      return { kind: "step", title: `${candidate} has ${String(weights[candidate])} % of the users (${image})` };
    case "approve":
      return {
        kind: "approval",
        title: `${candidate} waits for approval with ${String(weights[candidate])} % of the users (${image}): ./exai rollout promote, or abort`,
      };
    case "bake":
      return { kind: "step", title: `${candidate} has all users and is still watched (${image})` };
    case "standby":
      return { kind: "completed", title: `done: ${candidate} has all users (${image}); ${stable} stays warm` };
    case "rollback":
      return from === "rollback"
        ? undefined
        : { kind: "rollback", title: `${stable} gets the users back from ${candidate} (${image})` };
    case "idle":
      if (from !== "rollback") return undefined;
      return weights[candidate] === 100
        ? { kind: "kept", title: `the rollback failed: ${stable} does not come back, ${candidate} keeps the users` }
        : { kind: "rolled-back", title: `rolled back: ${stable} has all users` };
    default:
      return undefined;
  }
}
