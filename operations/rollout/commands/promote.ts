import type { Operation } from "../../../contract/events.ts";
import type { RolloutContext } from "../ports/context.ts";
import { askLeader, type LedResult } from "./ask-leader.ts";

/**
 * Moves to the next step now, or approves the last one; `full` moves to all users. Skips time, but never a gate that
 * fails.
 *
 * @throws UserError `state-conflict` if a gate fails, or no process watches the gates
 */
export function promote(
  context: RolloutContext,
  request: { readonly reason?: string; readonly full?: boolean } = {},
): Operation<LedResult> {
  return askLeader(context, "rollout promote", { action: "promote", full: request.full === true }, request.reason);
}
