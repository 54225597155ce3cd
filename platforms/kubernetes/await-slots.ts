import { SLOTS } from "../../contract/slots.ts";
import type { Operation } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import { SlotObjects } from "../../operations/rollout/kubernetes/slot-objects.ts";
import type { Settings } from "../../stacks/settings.ts";
import { clusterOf } from "./rollout.ts";

/** Waits until each slot is rolled out. @throws UserError that says what is wrong with one */
export async function* awaitSlots(settings: Settings, signal: AbortSignal): Operation<void> {
  const objects = new SlotObjects(clusterOf(settings), settings.instance);
  for (const slot of SLOTS)
    yield* timed(`ready:${slot}`, `slot ${slot} is ready`, () => objects.rolledOut(slot, signal));
}

/**
 * Waits until the slots are gone that the engine has deleted: it does not wait for the pods, which drain first, and objects of the same
 * names that the next deployment makes meanwhile would go with them.
 *
 * @throws UserError if one is not gone a minute after its grace period
 */
export async function* awaitGone(settings: Settings, signal: AbortSignal): Operation<void> {
  const objects = new SlotObjects(clusterOf(settings), settings.instance);
  const seconds = settings.graceSeconds + 60;
  yield* timed("gone", "the pods of both slots have drained", () =>
    Promise.all(SLOTS.map((slot) => objects.gone(slot, signal, seconds))),
  );
}
