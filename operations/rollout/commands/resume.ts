import { EXIT } from "../../../contract/errors.ts";
import type { Operation, Verb } from "../../../contract/events.ts";
import type { RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { summaryOf } from "./history.ts";
import { atRest } from "../model/machine.ts";
import { refuseOther, requestOrLead, type LedOperation } from "../controller/takeover.ts";
import type { RolloutStore } from "../controller/store.ts";
import { notNow, withLease } from "../controller/outcome.ts";
import { isOver, rolloutResult, standbyUntil, type RolloutResult } from "../model/result.ts";
import { concluded } from "./conclude.ts";
import { stateLabel } from "../model/labels.ts";

export interface ResumeRequest {
  /** Identifier of the only rollout that is meant. Absent: whichever is under way. */
  readonly rollout?: string | undefined;
  /** Only leads what nobody leads any more, as it is: a pause stays. For programs, which end no pause of a person. */
  readonly lead?: boolean;
}

export interface AbortRequest {
  readonly reason?: string;
  readonly keepSessions?: boolean;
  /** Identifier of the only rollout that is meant. Absent: whichever is under way. */
  readonly rollout?: string | undefined;
}

/**
 * Lets a paused rollout go on, and goes on where one was left: killed, interrupted or cut off from its journal. A step
 * begins anew, with a full hold, since nobody has watched it. At rest it only brings the router to the journal's table.
 *
 * @throws UserError with exit code 3 where another rollout is under way than the one that is meant, or there never was one
 * of that name.
 */
export async function* resume(context: RolloutContext, request: ResumeRequest = {}): Verb {
  const { rollout, lead = false } = request;
  let wanted: "completed" | "rolled-back" = "completed";
  const operation: LedOperation<RolloutResult | number> = {
    verb: "rollout resume",
    action: { action: "continue" },
    why: "asked for by ./exai rollout resume",
    ...(rollout === undefined ? {} : { rollout }),
    lead: async function* (store) {
      const { machine, journal } = store;
      const { plan } = machine;
      refuseOther(machine, rollout);
      if (rollout !== undefined && plan?.id !== rollout) return yield* over(store, rollout);
      if (machine.state.name === "standby" && plan !== undefined) {
        if (isOver(standbyUntil(journal.entry?.at, plan))) await store.dispatch({ type: "finish" });
      }
      const milliseconds = await store.reconcile();
      if (atRest(store.machine) || plan === undefined) {
        const fixed = milliseconds > 0 ? "; the router had another table and has the journal's now" : "";
        const message = `nothing to resume: ${stateLabel(store.machine)}, ${machine.active} has the users${fixed}`;
        yield { type: "note", level: "info", message };
        return EXIT.ok;
      }
      const message = `resuming ${plan.id} of ${plan.by} in "${stateLabel(machine)}"`;
      yield { type: "note", level: "info", message };
      if (!lead) await store.dispatch({ type: "continue" });
      yield* drive(store);
      const automatic = store.machine.ending?.automatic === true;
      // Going on with what a person has begun to take back is going on as well.
      if (machine.state.name === "rollback" && !automatic) wanted = "rolled-back";
      return rolloutResult(store, plan);
    },
  };
  const run = lead ? withLease(context, operation.verb, operation.lead) : requestOrLead(context, operation);
  return yield* concluded(run, () => wanted);
}

/** Says what became of a rollout that is not under way any more. */
async function* over(store: RolloutStore, rollout: string): Operation<number> {
  const entries = (await store.context.journal.history()).filter((entry) => entry.rollout === rollout);
  if (entries.length === 0)
    throw notNow(store, `there is no rollout ${rollout === "" ? "without a name" : rollout}`, "./exai rollout history");
  await store.reconcile();
  const { outcome, ending } = summaryOf(entries);
  const message = `nothing to resume: ${rollout} is over, ${outcome}${ending === "" ? "" : ` (${ending})`}`;
  yield { type: "note", level: "info", message };
  return outcome === "completed" ? EXIT.ok : EXIT.violations;
}

/**
 * Takes an unfinished rollout back, also one that another process leads.
 *
 * @throws UserError with exit code 3 when the rollout is complete: that is what `rollback` is for; and where another one is
 * under way than the one that is meant.
 */
export async function* abort(context: RolloutContext, request: AbortRequest): Verb {
  const { rollout } = request;
  const why = request.reason ?? "asked for by ./exai rollout abort";
  const evict = request.keepSessions !== true;
  const operation = requestOrLead(context, {
    verb: "rollout abort",
    action: { action: "abort", evict },
    why,
    ...(rollout === undefined ? {} : { rollout }),
    lead: async function* (store): Operation<RolloutResult | number> {
      const { plan, state } = store.machine;
      refuseOther(store.machine, rollout);
      if (plan === undefined || (rollout !== undefined && plan.id !== rollout)) {
        await store.reconcile();
        yield { type: "note", level: "info", message: `nothing to abort: ${store.machine.active} has all users` };
        return EXIT.ok;
      }
      if (state.name === "standby" || state.name === "retire") {
        throw notNow(store, `rollout ${plan.id} is complete: ${plan.candidate} has all users`, "./exai rollback");
      }
      const ready = await store.readinessSoon(context.ahead?.readiness.answer());
      await store.dispatch({ type: "rollback", reason: why, evict }, { observed: { ready } });
      yield* drive(store);
      return rolloutResult(store, plan);
    },
  });
  return yield* concluded(operation, () => "rolled-back");
}
