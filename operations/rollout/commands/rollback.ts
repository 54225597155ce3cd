import { otherSlot } from "../../../contract/slots.ts";
import type { UserError } from "../../../contract/errors.ts";
import type { Operation, ProgressEvent } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import { Prefetched } from "../ports/prefetch.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import type { HistoryEntry } from "../model/journal.ts";
import { revocable, type Readiness } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { requestOrLead } from "../controller/takeover.ts";
import { admitRollback } from "../controller/schema-check.ts";
import type { RolloutStore } from "../controller/store.ts";
import { notNow } from "../controller/outcome.ts";
import { rolloutResult } from "../model/result.ts";
import { requestedBy, type LedResult } from "./ask-leader.ts";

export interface RollbackRequest {
  readonly reason?: string;
  /**
   * Keeps open MCP sessions, event streams and WebSockets of the candidate, until its slot is needed or their time is over.
   * Without it they are closed, so that their clients reconnect to the other slot.
   */
  readonly keepSessions?: boolean;
  /** Rolls back although the schema has moved past what the old release supports. */
  readonly acceptSchema?: boolean;
}

/**
 * Returns the users to the slot that had them before. While that slot is warm, this is one change of weights; otherwise its
 * release is deployed again first, which a note says beforehand. Works on a rollout that another process leads, too.
 *
 * @throws UserError `state-conflict` if there is nothing to roll back, or the schema does not allow it
 */
export async function* rollback(context: RolloutContext, request: RollbackRequest): Operation<LedResult> {
  const why = request.reason ?? requestedBy("rollback");
  const evict = request.keepSessions !== true;
  const known = await context.journal.read();
  const planned = known === undefined ? undefined : revocable(known.machine);
  let readiness = context.prefetch?.readiness;
  if (planned !== undefined) {
    readiness ??= new Prefetched(() => context.traffic.readiness());
    yield* admitRollback(context, planned, request.acceptSchema === true);
  }
  return yield* requestOrLead(context, {
    verb: "rollback",
    action: { action: "rollback", evict },
    why,
    lead: async function* (store) {
      const plan = revocable(store.machine);
      if (plan === undefined) throw nothingToRollBack(store);
      const ready = await store.readinessSoon(readiness?.answer());
      yield* redeployment(store, plan, ready);
      await store.dispatch({ type: "rollback", reason: why, evict }, { observed: { ready } });
      yield* drive(store);
      return rolloutResult(store, plan, { requested: true });
    },
  });
}

function nothingToRollBack(store: RolloutStore): UserError {
  const { machine, journal } = store;
  const idle = otherSlot(machine.active);
  return notNow(
    store,
    `there is no release to roll back to: ${machine.active} has had the users since ${journal.entry?.at ?? "the start"}`,
    fix`${command("cutover --image IMAGE")} deploys an earlier image into ${idle}; ${command("rollout history")} lists the images`,
  );
}

/** Notes what a rollback has to deploy first if the old slot is not warm. */
async function* redeployment(
  store: RolloutStore,
  plan: RolloutPlan,
  ready: Readiness | undefined,
): AsyncGenerator<ProgressEvent, void, void> {
  const { context, machine } = store;
  const users = store.journal.table.weights[plan.stable];
  if (users === 100 || machine.state.name === "rollback") return;
  // The router may still report a slot ready that was stopped a moment ago.
  const cold = machine.emptied.includes(plan.stable);
  if (!cold && (ready === undefined || ready[plan.stable])) return;
  const image = plan.stableImage ?? store.journal.images[plan.stable];
  const last = image === undefined ? undefined : deploymentSeconds(await context.journal.history(), image);
  const took = last === undefined ? "" : `, ${last.toFixed(0)} s the last time`;
  const message =
    `${plan.stable} is not warm: ${image ?? "its release"} is deployed there again and gets the users when it is ready ` +
    `(at most ${String(context.deadlines.readySeconds)} s${took}); until then ${plan.candidate} keeps them`;
  yield { type: "note", level: "warning", message };
}

/** Seconds from the start of the last deployment of an image until it was ready; undefined if the history has none. */
function deploymentSeconds(history: readonly HistoryEntry[], image: string): number | undefined {
  for (const end of history.filter((entry) => entry.from === "ready" && entry.to === "smoke").reverse()) {
    const begin = history.find((entry) => entry.rollout === end.rollout && entry.to === "deploy");
    const deployed = Object.values(end.images).includes(image);
    if (begin !== undefined && deployed) return (Date.parse(end.at) - Date.parse(begin.at)) / 1000;
  }
  return undefined;
}
