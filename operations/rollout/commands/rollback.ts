import { otherSlot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import type { ProgressEvent, Verb } from "../../../contract/events.ts";
import { Asked } from "../ports/prefetch.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import type { HistoryEntry } from "../model/journal.ts";
import type { Machine, Readiness } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { requestOrLead } from "../controller/takeover.ts";
import { admitRollback } from "../controller/schema-check.ts";
import type { RolloutStore } from "../controller/store.ts";
import { notNow } from "../controller/outcome.ts";
import { rolloutResult } from "../model/result.ts";
import { conclude } from "./conclude.ts";

export interface RollbackRequest {
  readonly reason?: string;
  /**
   * Leaves the MCP sessions, event streams and WebSockets of the slot that is left where they are, until its slot is
   * needed or their time is over. Without it they are sent away, so that their clients come back on the other slot.
   */
  readonly keepSessions?: boolean;
  /** Goes back although the schema has moved past what the old release declares. */
  readonly acceptSchema?: boolean;
}

/**
 * Gives the users back to the slot that had them before. While it is warm, this is one change of weights; where it is
 * not, its release is deployed again first, and that is said before anything is done. Reaches a rollout that another
 * process leads as well.
 *
 * @throws UserError with exit code 3 when there is nothing to take back, or the schema forbids it.
 */
export async function* rollback(context: RolloutContext, request: RollbackRequest): Verb {
  const why = request.reason ?? "asked for by ./exai rollback";
  const evict = request.keepSessions !== true;
  const known = await context.journal.read();
  const planned = known === undefined ? undefined : revocable(known.machine);
  let readiness = context.ahead?.readiness;
  if (planned !== undefined) {
    readiness ??= new Asked(() => context.traffic.readiness());
    yield* admitRollback(context, planned, request.acceptSchema === true);
  }
  const result = yield* requestOrLead(context, {
    verb: "rollback",
    action: { action: "rollback", evict },
    why,
    lead: async function* (store) {
      const plan = revocable(store.machine);
      if (plan === undefined) throw nothingToTakeBack(store);
      const ready = await store.readinessSoon(readiness?.answer());
      yield* redeployment(store, plan, ready);
      await store.dispatch({ type: "rollback", reason: why, evict }, { observed: { ready } });
      yield* drive(store);
      return rolloutResult(store, plan);
    },
  });
  const code = yield* conclude(result, "rolled-back");
  if (result.outcome === "rolled-back" && !result.evicted.includes(result.candidate)) {
    const message = `MCP sessions and connections that are open on ${result.candidate} may stay there for ${String(result.drainSeconds)} s, and then until it is deployed anew`;
    yield { type: "note", level: "info", message };
  }
  return code;
}

/** The rollout that a rollback would take back. */
function revocable({ plan, previous, active }: Machine): RolloutPlan | undefined {
  return plan ?? (previous?.candidate === active ? previous : undefined);
}

function nothingToTakeBack(store: RolloutStore): UserError {
  const { machine, journal } = store;
  const idle = otherSlot(machine.active);
  return notNow(
    store,
    `there is no release to go back to: ${machine.active} has the users since ${journal.entry?.at ?? "the start"}`,
    `./exai cutover --image IMAGE puts an earlier image into ${idle}; ./exai rollout history names them`,
  );
}

/** Says what a rollback has to deploy first, where the old slot is not warm. */
async function* redeployment(
  store: RolloutStore,
  plan: RolloutPlan,
  ready: Readiness | undefined,
): AsyncGenerator<ProgressEvent, void, void> {
  const { context, machine } = store;
  const users = store.journal.table.weights[plan.stable];
  if (users === 100 || machine.state.name === "rollback") return;
  // What was stopped a moment ago may still look ready to the router.
  const cold = machine.emptied.includes(plan.stable);
  if (!cold && (ready === undefined || ready[plan.stable])) return;
  const image = plan.stableImage ?? store.journal.images[plan.stable];
  const last = image === undefined ? undefined : deploymentSeconds(await context.journal.history(), image);
  const took = last === undefined ? "" : `; it took ${last.toFixed(0)} s the last time`;
  const limit = `at most ${String(context.deadlines.readySeconds)} s`;
  const message =
    `${plan.stable} is not warm: ${image ?? "its release"} is deployed there again, and gets the users when it is ready ` +
    `(${limit}${took}); until then ${plan.candidate} keeps them`;
  yield { type: "note", level: "warning", message };
}

/** From the start of the last deployment of an image until it was ready, seconds; undefined where history has none. */
function deploymentSeconds(history: readonly HistoryEntry[], image: string): number | undefined {
  for (const end of history.filter((entry) => entry.from === "ready" && entry.to === "smoke").reverse()) {
    const begin = history.find((entry) => entry.rollout === end.rollout && entry.to === "deploy");
    const deployed = Object.values(end.images).includes(image);
    if (begin !== undefined && deployed) return (Date.parse(end.at) - Date.parse(begin.at)) / 1000;
  }
  return undefined;
}
