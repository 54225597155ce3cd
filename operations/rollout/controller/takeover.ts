import { sameTable } from "../../../contract/envoy/routes.ts";
import { UserError } from "../../../contract/errors.ts";
import type { Operation, ProgressEvent } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import { controlRequest, type ControlAction, type ControlAnswer, type ControlRequest } from "../ports/control.ts";
import { wait, type RolloutContext } from "../ports/context.ts";
import { drive } from "./controller.ts";
import type { Journal } from "../model/journal.ts";
import type { Holder } from "../ports/lease.ts";
import { atRest, type Machine } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { rolloutResult, type InterruptedResult, type RolloutResult } from "../model/result.ts";
import type { RolloutStore } from "./store.ts";
import { withLease } from "./outcome.ts";
import { stateLabel } from "../model/labels.ts";

/** An operation that the process that leads the rollout does on request, and that leads the rollout if no process does. */
export interface LedOperation<Result> {
  /** Name of the operation, for the lease. */
  readonly verb: string;
  readonly action: ControlAction;
  readonly why: string;
  /** Identifier of the rollout to change. @default the one that is under way */
  readonly rollout?: string;
  /** What the operation does if no process leads the rollout. */
  readonly lead: (store: RolloutStore) => Operation<Result>;
}

/** The process that leads the rollout has accepted the request and continues. */
export interface AcceptedResult {
  readonly outcome: "accepted";
  readonly rollout: string;
  /** Label of the state after the request. */
  readonly state: string;
  readonly holder: Holder;
}

/** Milliseconds between two reads of the answer, or of the leader's journal. */
const POLL_MS = 25;

/** Seconds until a request that was taken must be answered: a promotion asks the gates first. */
const ANSWER_SECONDS = 20;

/**
 * Sends a request to the process that leads the rollout, or leads the rollout if no process does. A rollback does not depend
 * on a controller that hangs: if it does not take the request in time, this process takes the lease over and continues; the
 * former holder can no longer write.
 *
 * @throws UserError (exit code 3) if the leader refuses, or does not answer to anything but a rollback
 */
export async function* requestOrLead<Result>(
  context: RolloutContext,
  operation: LedOperation<Result>,
): Operation<Result | RolloutResult | AcceptedResult | InterruptedResult> {
  const { verb, action, lead } = operation;
  const reverts = action.action === "rollback" || action.action === "abort";
  const holder = await context.leases.holder();
  const machine = holder === undefined ? undefined : (await context.journal.read())?.machine;
  const plan = machine?.plan;
  if (machine !== undefined) refuseOther(machine, operation.rollout);
  // A lease in doubt is watched before it is acquired. A rollback does not wait for that.
  if (holder === undefined || plan === undefined) {
    // A process that only runs the hooks of the end of a rollout keeps no rollback waiting.
    const seizes = reverts && (holder?.doubtful === true || machine?.unreported !== undefined);
    return yield* withLease(context, verb, lead, seizes ? "seize" : "acquire");
  }
  const answer = await ask(context, controlRequest(action, plan.id, context.who, operation.why), reverts);
  const name = `${holder.who} (\`${holder.verb}\`, process ${String(holder.pid)})`;
  if (answer === undefined) {
    // By the clocks the holder may be gone. Acquiring the lease watches it for its duration; a rollback does not wait for that.
    if (!reverts && holder.doubtful === true) return yield* withLease(context, verb, lead);
    if (!reverts) throw unanswered(name);
    yield { type: "note", level: "warning", message: `${name} does not answer: taking the rollout over` };
    return yield* withLease(context, verb, lead, "seize");
  }
  if (!answer.accepted) {
    throw new UserError(
      ...(["state-conflict", "rollout", `${name} refuses: ${answer.problem}`] as const),
      fix`${command(answer.command ?? "rollout status")}`,
    );
  }
  if (reverts) return yield* follow(context, verb, plan, holder);
  return { outcome: "accepted", rollout: plan.id, state: answer.state, holder };
}

/**
 * Keeps an operation that means one rollout from changing another one.
 *
 * @param wanted identifier of the rollout; undefined: the one that is under way
 * @throws UserError (exit code 3) if another rollout is under way
 */
export function refuseOther(machine: Machine, wanted: string | undefined): void {
  const { plan } = machine;
  if (wanted === undefined || plan === undefined || plan.id === wanted || atRest(machine)) return;
  throw new UserError(
    "state-conflict",
    `rollout (${stateLabel(machine)})`,
    `${plan.id} of ${plan.by} is under way, not ${wanted === "" ? "one without a name" : wanted}`,
    fix`${command("rollout status")}; ${command("rollout history")} shows how the other rollout ended`,
  );
}

function unanswered(name: string): UserError {
  return new UserError(
    "lock-held",
    "rollout lease",
    `${name} holds it and does not answer`,
    fix`${command("rollback")} takes the lease over in any case; or end that process, then: ${command("rollout resume")}`,
  );
}

async function ask(
  context: RolloutContext,
  request: ControlRequest,
  urgent: boolean,
): Promise<ControlAnswer | undefined> {
  const { control } = context;
  const started = performance.now();
  let seen = false;
  try {
    await control.post(request);
    for (;;) {
      const answer = await control.answerTo(request.id);
      if (answer !== undefined) return answer;
      const seconds = (performance.now() - started) / 1000;
      if (!seen && seconds > control.patienceSeconds) {
        // Nothing waits for the answer any more, so no later controller may find the request.
        if (await control.withdraw(request.id)) return undefined;
        seen = true;
      }
      if (seen && seconds > (urgent ? 2 * control.patienceSeconds : ANSWER_SECONDS)) return undefined;
      await wait(context, POLL_MS, context.signal);
    }
  } catch (error) {
    // The request must not change a rollout that is resumed later. A rollback stays unless Ctrl-C ended it: the leader may
    // carry it out although its answer cannot be read.
    if (!urgent || context.signal.aborted) await control.withdraw(request.id).catch(() => undefined);
    throw error;
  }
}

/** Reports what the leader does, and takes over if it stops before the users are back. */
async function* follow(
  context: RolloutContext,
  verb: string,
  plan: RolloutPlan,
  holder: Holder,
): Operation<RolloutResult | InterruptedResult> {
  const takeOver = (how: "acquire" | "seize") =>
    withLease(
      context,
      verb,
      async function* (store) {
        yield* drive(store);
        return rolloutResult(store, plan, { requested: true });
      },
      how,
    );
  let seen = -1;
  let moved = performance.now();
  for (;;) {
    const journal = await context.journal.read();
    if (journal === undefined) throw unanswered(holder.who);
    if (journal.machine.plan?.id !== plan.id || atRest(journal.machine))
      return rolloutResult({ machine: journal.machine, journal }, plan, { requested: true });
    if (journal.sequence !== seen) {
      yield* stepOf(journal);
      seen = journal.sequence;
      moved = performance.now();
    }
    if ((await context.leases.holder()) === undefined) return yield* takeOver("acquire");
    if (performance.now() - moved > (await stallSeconds(context, journal)) * 1000) return yield* takeOver("seize");
    await wait(context, POLL_MS, context.signal);
  }
}

/** Seconds that the leader may take for the present phase; shortest while the users are not back yet. */
async function stallSeconds({ traffic, control, deadlines }: RolloutContext, journal: Journal): Promise<number> {
  const { state } = journal.machine;
  const { patienceSeconds } = control;
  if (state.name !== "rollback") return 2 * patienceSeconds;
  // Stopping takes the grace time; deploying includes what was being deployed when the rollback came.
  if (state.phase === "drain") return deadlines.graceSeconds + 20 * patienceSeconds;
  if (state.phase === "revive") return 2 * deadlines.readySeconds + 20 * patienceSeconds;
  const present = await traffic.inForce().catch(() => undefined);
  return present !== undefined && sameTable(present, journal.table) ? 10 * patienceSeconds : 2 * patienceSeconds;
}

function* stepOf({ entry }: Journal): Generator<ProgressEvent, void, void> {
  if (entry === undefined) return;
  const detail = entry.reason;
  yield { type: "step", id: entry.to, title: entry.label, status: "started", detail };
}
