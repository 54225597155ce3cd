import type { Operation } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { notNow, withLease } from "../controller/outcome.ts";
import { rolloutResult, type InterruptedResult, type RolloutResult } from "../model/result.ts";
import { requestedBy } from "./ask-leader.ts";

export interface FinishRequest {
  /** How long open connections may stay. @default the plan's */
  readonly drainSeconds?: number;
  readonly reason?: string;
}

/**
 * Ends a standby: waits until no connection to the old slot is open, or their time is over, and stops the slot. After that,
 * a rollback has to deploy the old release again.
 *
 * @throws UserError `state-conflict` if there is no standby
 */
export function finish(
  context: RolloutContext,
  request: FinishRequest = {},
): Operation<RolloutResult | InterruptedResult> {
  const verb = "rollout finish";
  return withLease(context, verb, async function* (store) {
    const { plan, state } = store.machine;
    if (plan === undefined) throw notNow(store, "no release is in standby", fix`${command("rollout status")}`);
    if (state.name !== "standby" && state.name !== "retire")
      throw notNow(
        store,
        "the rollout is not complete",
        fix`${command("rollout resume")}, or ${command("rollout abort")}`,
      );
    const { drainSeconds = plan.drainSeconds, reason = requestedBy(verb) } = request;
    await store.dispatch({ type: "retire", drainSeconds }, { why: reason });
    yield* drive(store);
    return rolloutResult(store, plan);
  });
}
