import type { UserError } from "../../../contract/errors.ts";
import type { Operation, Verb } from "../../../contract/events.ts";
import { controlRequest, type ControlAction } from "../ports/control.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { requestOrLead, type LedOperation } from "../controller/takeover.ts";
import { handleRequest } from "../controller/requests.ts";
import type { RolloutStore } from "../controller/store.ts";
import { notNow, withLease } from "../controller/outcome.ts";
import { rolloutResult, type RolloutResult } from "../model/result.ts";
import { concluded } from "./conclude.ts";

/**
 * Stops a rollout from going on: it stays at its weights, and its gates go on watching. Where nobody leads it, this process
 * does from now on, and waits.
 *
 * @throws UserError with exit code 3 where there is nothing to pause.
 */
export async function* pause(context: RolloutContext, request: { readonly reason?: string }): Verb {
  const why = request.reason ?? "asked for by ./exai rollout pause";
  const operation = steering("rollout pause", { action: "pause" }, why);
  return yield* concluded(requestOrLead(context, operation), () => "completed");
}

/**
 * Passes to the next step now, and is the approval where one is waited for; `full` goes on to all users. Time is skipped,
 * and never a gate that fails.
 *
 * @throws UserError with exit code 3 where a gate fails, or nobody watches the gates.
 */
export async function* promote(
  context: RolloutContext,
  request: { readonly reason?: string; readonly full?: boolean },
): Verb {
  const why = request.reason ?? "asked for by ./exai rollout promote";
  const action = { action: "promote", full: request.full === true } as const;
  return yield* concluded(requestOrLead(context, steering("rollout promote", action, why)), () => "completed");
}

function steering(verb: string, action: ControlAction, why: string): LedOperation<RolloutResult> {
  return {
    verb,
    action,
    why,
    lead: async function* (store): Operation<RolloutResult> {
      const { plan } = store.machine;
      if (plan === undefined) throw notNow(store, "no rollout is under way", "./exai rollout status");
      const answer = await handleRequest(store, controlRequest(action, plan.id, store.context.who, why));
      if (!answer.accepted) throw notNow(store, answer.problem, "./exai rollout status");
      yield* drive(store);
      return rolloutResult(store, plan);
    },
  };
}

/**
 * Ends a standby: waits until nothing is open on the old slot any more, or its time is over, and stops it. From then on a
 * rollback has to deploy the old release again.
 *
 * @throws UserError with exit code 3 where there is no standby.
 */
export async function* finish(
  context: RolloutContext,
  request: { readonly drainSeconds?: number; readonly reason?: string },
): Verb {
  const operation = withLease(context, "rollout finish", async function* (store) {
    const { plan, state } = store.machine;
    if (plan === undefined || (state.name !== "standby" && state.name !== "retire")) throw noStandby(store);
    const drainSeconds = request.drainSeconds ?? plan.drainSeconds;
    const why = request.reason ?? "asked for by ./exai rollout finish";
    await store.dispatch({ type: "retire", drainSeconds }, { why });
    yield* drive(store);
    return rolloutResult(store, plan);
  });
  return yield* concluded(operation, () => "completed");
}

function noStandby(store: RolloutStore): UserError {
  const { machine } = store;
  return machine.plan === undefined
    ? notNow(store, "no release is kept warm", "./exai rollout status")
    : notNow(store, "the rollout is not complete", "./exai rollout status, then resume or abort");
}
