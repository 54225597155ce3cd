import type { Slot } from "../../../contract/slots.ts";
import type { Machine } from "./machine.ts";

/**
 * Slots whose slot has no server on purpose, for everybody who would miss one: it was emptied or is about to be, and
 * nobody has begun to deploy into it since. Each of them is among the evicted, whose routes say so.
 */
export function emptyOnPurpose({ state, plan, emptied }: Machine): readonly Slot[] {
  if (plan === undefined) return emptied;
  const { stable, candidate } = plan;
  if (state.name === "retire" && state.phase === "stop") return [...new Set([...emptied, stable])];
  if (state.name !== "rollback") return emptied;
  // It is deployed anew: where it does not come up, that is for no purpose.
  if (state.phase === "revive") return emptied.filter((slot) => slot !== stable);
  return state.evict ? [...new Set([...emptied, candidate])] : emptied;
}
