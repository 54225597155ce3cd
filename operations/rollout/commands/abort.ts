import type { Slot } from "../../../contract/slots.ts";
import type { Operation } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { refuseOther, requestOrLead } from "../controller/takeover.ts";
import { notNow } from "../controller/outcome.ts";
import { rolloutResult, type RolloutResult } from "../model/result.ts";
import { requestedBy, type LedResult } from "./ask-leader.ts";

export interface AbortRequest {
  readonly reason?: string;
  /** Leaves MCP sessions and connections of the candidate open. */
  readonly keepSessions?: boolean;
  /** Identifier of the rollout to abort. @default the one that is under way */
  readonly rollout?: string | undefined;
}

export type AbortResult = LedResult | NothingToAbort;

/** No rollout is under way, or the requested one has ended. */
export interface NothingToAbort {
  readonly outcome: "nothing-to-abort";
  /** The slot that has all users. */
  readonly active: Slot;
}

/**
 * Rolls an unfinished rollout back, also one that another process leads.
 *
 * @throws UserError `state-conflict` if the rollout is complete, which only `rollback` reverts, or if another rollout is
 *   under way than the requested one
 */
export function abort(context: RolloutContext, request: AbortRequest): Operation<AbortResult> {
  const { rollout } = request;
  const verb = "rollout abort";
  const why = request.reason ?? requestedBy(verb);
  const evict = request.keepSessions !== true;
  return requestOrLead(context, {
    ...{ verb, why, action: { action: "abort", evict } },
    ...(rollout === undefined ? {} : { rollout }),
    lead: async function* (store): Operation<RolloutResult | NothingToAbort> {
      const { plan, state } = store.machine;
      refuseOther(store.machine, rollout);
      if (plan === undefined || (rollout !== undefined && plan.id !== rollout)) {
        await store.reconcile();
        return { outcome: "nothing-to-abort", active: store.machine.active };
      }
      if (state.name === "standby" || state.name === "retire")
        throw notNow(
          store,
          `rollout ${plan.id} is complete: ${plan.candidate} has all users`,
          fix`${command("rollback")}`,
        );
      const ready = await store.readinessSoon(context.prefetch?.readiness.answer());
      await store.dispatch({ type: "rollback", reason: why, evict }, { observed: { ready } });
      yield* drive(store);
      return rolloutResult(store, plan, { requested: true });
    },
  });
}
