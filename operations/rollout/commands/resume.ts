import type { Slot } from "../../../contract/slots.ts";
import type { Operation } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { entriesOf, summaryOf, type RolloutSummary } from "./history.ts";
import { stateLabel } from "../model/labels.ts";
import { atRest } from "../model/machine.ts";
import { refuseOther, requestOrLead } from "../controller/takeover.ts";
import type { RolloutStore } from "../controller/store.ts";
import { notNow, withLease } from "../controller/outcome.ts";
import { isOver, rolloutResult, standbyUntil, type RolloutResult } from "../model/result.ts";
import { requestedBy, type LedResult } from "./ask-leader.ts";

export interface ResumeRequest {
  /** Identifier of the rollout to resume. @default the one that is under way */
  readonly rollout?: string | undefined;
  /** Leads the rollout only if no process does, and keeps a pause. For programs, which must not end a person's pause. */
  readonly lead?: boolean;
}

export type ResumeResult = LedResult | NothingToResume | AlreadyEnded;

/** No rollout is under way. */
export interface NothingToResume {
  readonly outcome: "nothing-to-resume";
  /** Label of the state. */
  readonly state: string;
  /** The slot that has all users. */
  readonly active: Slot;
  /** Whether the router had another table than the journal, and has the journal's now. */
  readonly repaired: boolean;
}

/** The requested rollout has ended. */
export interface AlreadyEnded {
  readonly outcome: "already-ended";
  readonly ended: RolloutSummary;
}

/**
 * Ends a pause, and continues a rollout whose process was killed, interrupted or cut off from the journal. A step starts
 * again with a full hold, because no process has watched it. At rest it only restores the journal's table in the router.
 *
 * @throws UserError `state-conflict` if another rollout is under way than the requested one, or if that never existed
 */
export function resume(context: RolloutContext, request: ResumeRequest = {}): Operation<ResumeResult> {
  const { rollout, lead = false } = request;
  const verb = "rollout resume";
  const run = (store: RolloutStore) => continueRollout(store, request);
  if (lead) return withLease(context, verb, run);
  return requestOrLead(context, {
    ...{ verb, why: requestedBy(verb), action: { action: "continue" }, lead: run },
    ...(rollout === undefined ? {} : { rollout }),
  });
}

async function* continueRollout(
  store: RolloutStore,
  { rollout, lead = false }: ResumeRequest,
): Operation<RolloutResult | NothingToResume | AlreadyEnded> {
  const { machine, journal } = store;
  const { plan } = machine;
  refuseOther(machine, rollout);
  if (rollout !== undefined && plan?.id !== rollout) return alreadyEnded(store, rollout);
  if (machine.state.name === "standby" && plan !== undefined && isOver(standbyUntil(journal.since, plan)))
    await store.dispatch({ type: "finish" });
  const milliseconds = await store.reconcile();
  if (atRest(store.machine) || plan === undefined) {
    if (store.machine.unreported !== undefined) yield* drive(store);
    const { active } = store.machine;
    return { outcome: "nothing-to-resume", state: stateLabel(store.machine), active, repaired: milliseconds > 0 };
  }
  const message = `resuming ${plan.id} of ${plan.by} in "${stateLabel(machine)}"`;
  yield { type: "note", level: "info", message };
  if (!lead) await store.dispatch({ type: "continue" });
  yield* drive(store);
  // To continue a rollback that a person has started is a success.
  const requested = machine.state.name === "rollback" && store.machine.ending?.automatic !== true;
  return rolloutResult(store, plan, { requested });
}

async function alreadyEnded(store: RolloutStore, rollout: string): Promise<AlreadyEnded> {
  const entries = await entriesOf(store.context, rollout);
  if (entries.length === 0)
    throw notNow(
      store,
      rollout === "" ? "the identifier of the rollout is empty" : `rollout ${rollout} does not exist`,
      fix`${command("rollout history")}`,
    );
  await store.reconcile();
  return { outcome: "already-ended", ended: summaryOf(entries) };
}
