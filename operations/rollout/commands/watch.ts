import { setTimeout as sleep } from "node:timers/promises";
import type { Weights } from "../../../contract/slots.ts";
import type { NoteEvent } from "../../../contract/events.ts";
import type { RolloutContext } from "../ports/context.ts";
import { takeSnapshot, type Snapshot } from "./snapshot.ts";
import { entriesOf, summaryOf, type RolloutSummary } from "./history.ts";
import { atRest } from "../model/machine.ts";
import { statusOf, type RolloutStatus } from "./status.ts";

/** Seconds between two reads of the containers, which cost more than all other parts. */
const SLOTS_SECONDS = 10;

/** One view of a rollout that is watched. */
export interface WatchEvent {
  readonly type: "view";
  readonly data: RolloutStatus;
}

/** How watching ended: with the rollout, or by Ctrl-C. */
export type WatchResult = (RolloutSummary & { readonly weights: Weights }) | { readonly outcome: "interrupted" };

/**
 * Watches a rollout of any process: reads what its controller writes, and the state of the router and Prometheus. Takes no
 * lease and changes nothing. Ends with the rollout, or by Ctrl-C; if none is under way, it waits for one.
 */
export async function* watchRollout(
  context: RolloutContext,
  { everySeconds = 1 }: { readonly everySeconds?: number } = {},
): AsyncGenerator<NoteEvent | WatchEvent, WatchResult, void> {
  const { signal } = context;
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
  let slots: Snapshot["slots"] | undefined;
  let slotsAt = -Infinity;
  let rollout: string | undefined;
  let lastError = "";
  for (;;) {
    if (performance.now() - slotsAt > SLOTS_SECONDS * 1000) slots = undefined;
    const snapshot = await Promise.race([attempt(context, slots), stopped]);
    if (snapshot === undefined || signal.aborted) return { outcome: "interrupted" };
    if ("error" in snapshot) {
      // A journal or a lease that cannot be read now may be readable at the next attempt.
      if (snapshot.error !== lastError) yield { type: "note", level: "warning", message: snapshot.error };
      lastError = snapshot.error;
    } else {
      lastError = "";
      if (slots === undefined) slotsAt = performance.now();
      ({ slots } = snapshot);
      yield { type: "view", data: statusOf(snapshot) };
      const { machine, table } = snapshot.journal;
      const present = atRest(machine) ? undefined : machine.plan?.id;
      if (rollout !== undefined && present !== rollout)
        return { ...summaryOf(await entriesOf(context, rollout)), weights: table.weights };
      rollout = present;
    }
    await sleep(everySeconds * 1000, undefined, { signal }).catch(() => undefined);
  }
}

async function attempt(
  context: RolloutContext,
  slots: Snapshot["slots"] | undefined,
): Promise<Snapshot | { readonly error: string }> {
  try {
    return await takeSnapshot(context, slots);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
