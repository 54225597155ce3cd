import type { Operation } from "../../../contract/events.ts";
import type { RolloutContext } from "../ports/context.ts";
import { askLeader, type LedResult } from "./ask-leader.ts";

/**
 * Keeps a rollout at its weights; its gates continue. If no process leads it, this process leads it from now on, and
 * waits.
 *
 * @throws UserError `state-conflict` if there is nothing to pause
 */
export function pause(context: RolloutContext, request: { readonly reason?: string } = {}): Operation<LedResult> {
  return askLeader(context, "rollout pause", { action: "pause" }, request.reason);
}
