import type { Operation } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import { controlRequest, type ControlAction } from "../ports/control.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { requestOrLead, type AcceptedResult } from "../controller/takeover.ts";
import { handleRequest } from "../controller/requests.ts";
import { notNow } from "../controller/outcome.ts";
import { rolloutResult, type InterruptedResult, type RolloutResult } from "../model/result.ts";

/** Result of an operation that leads a rollout, or asks the process that leads it. */
export type LedResult = RolloutResult | AcceptedResult | InterruptedResult;

/** Reason for the history if a person gives none. */
export function requestedBy(verb: string): string {
  return `requested by exai ${verb}`;
}

/** Sends a request to the process that leads the rollout; without one, does what it asks for and leads the rollout. */
export function askLeader(
  context: RolloutContext,
  verb: string,
  action: ControlAction,
  why = requestedBy(verb),
): Operation<LedResult> {
  return requestOrLead(context, {
    ...{ verb, action, why },
    lead: async function* (store): Operation<RolloutResult> {
      const { plan } = store.machine;
      const status = fix`${command("rollout status")}`;
      if (plan === undefined) throw notNow(store, "no rollout is under way", status);
      const answer = await handleRequest(store, controlRequest(action, plan.id, store.context.who, why));
      if (!answer.accepted)
        throw notNow(store, answer.problem, answer.command === undefined ? status : fix`${command(answer.command)}`);
      yield* drive(store);
      return rolloutResult(store, plan);
    },
  });
}
