import { setTimeout as sleep } from "node:timers/promises";
import { isRefusal, UserError } from "../../../contract/errors.ts";
import type { Operation, StepEvent } from "../../../contract/events.ts";
import { stateLabel, stepId, tableLabel } from "../model/labels.ts";
import { atRest, hasGates, type RolloutState } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { lostLease } from "./lost-lease.ts";
import { serveRequests } from "./requests.ts";
import { retryTransient } from "./retry.ts";
import { Requested, StateRun } from "./state-run.ts";
import type { RolloutStore } from "./store.ts";
import type { StateHandler, StepResult } from "./step-result.ts";

/** How long handlers of states that were left may take to end, milliseconds. */
const ABANDONED_MS = 10_000;

/** Milliseconds between two checks whether a pause has ended, or the next state can begin. */
const POLL_MS = 250;

/**
 * Drives the machine until it rests. For each state it puts the state's table in force, runs the state's handler, and
 * journals the next state before it begins. Meanwhile it answers requests of other processes: one that changes the state
 * does not wait for the handler.
 *
 * A handler that fails leads to the rollback. A journal or a router that fails between two states is retried. After an
 * error that ends the loop, `resume` and `abort` continue from the journal: the loss of the lease, Ctrl-C, a journal or a
 * router that cannot be written for long.
 */
export async function* drive(store: RolloutStore): Operation<void> {
  // A request that was accepted at the last moment starts it again.
  do yield* driveToRest(store);
  while (!atRest(store.machine));
}

async function* driveToRest(store: RolloutStore): Operation<void> {
  const stop = new AbortController();
  const current: { run: StateRun; failure?: Error } = { run: new StateRun(store) };
  const signal = AbortSignal.any([stop.signal, store.ended]);
  const serving = serveRequests(store, () => current.run, signal).catch((error: unknown) => {
    current.failure = error instanceof Error ? error : new Error(String(error));
    current.run.leave(current.failure);
  });
  const abandoned = new Set<Promise<unknown>>();
  try {
    for (;;) {
      const run = (current.run = new StateRun(store));
      if (current.failure !== undefined) throw current.failure;
      store.ended.throwIfAborted();
      const { plan } = store.machine;
      if (plan === undefined || atRest(store.machine)) {
        try {
          yield* retryTransient(run, () => run.reconcile());
          // Only now, and with requests answered: users come first, and a rollback does not wait for a hook.
          if (store.machine.unreported !== undefined) yield* (await import("./hooks.ts")).reportEnd(run);
        } catch (error) {
          // A request has changed the state; the next run puts its table in force.
          if (!run.left) throw error;
        }
        return;
      }
      yield* runState(store, run, plan, abandoned);
    }
  } finally {
    stop.abort();
    // The lease is released afterwards, so nothing may still run.
    const [, ended] = await Promise.all([serving, settled(abandoned)]);
    store.continues = !ended;
  }
}

/** Runs one state: its table is put in force, its handler runs, and the next state is journalled. */
async function* runState(
  store: RolloutStore,
  run: StateRun,
  plan: RolloutPlan,
  abandoned: Set<Promise<unknown>>,
): Operation<void> {
  const { state } = store.machine;
  let milliseconds: number;
  try {
    milliseconds = yield* retryTransient(run, () => run.reconcile());
  } catch (error) {
    if (run.left) return;
    throw error;
  }
  const step = { type: "step", id: stepId(state, plan), title: stateLabel(store.machine) } as const;
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  yield {
    ...step,
    status: "started",
    detail: describe(store, plan, milliseconds),
    ...(state.name === "rollback" && state.failure !== undefined ? { failure: state.failure } : {}),
  };
  let result: StepResult;
  try {
    if (!hasGates(state)) yield* waitForPause(run, step.id);
    // A handler that was left may still deploy or stop something.
    if (state.name === "rollback" && state.phase !== "flip") await settled(abandoned);
    // Loaded after the table is in force: a rollback moves the users first.
    const handle =
      (store.context.handler as StateHandler | undefined) ?? (await import("./state-handlers.ts")).handleState;
    result = yield* leavable(handle(run, state, plan), run.signal, abandoned);
  } catch (error) {
    if (run.left) {
      yield { ...step, ...leftBy(run.signal.reason), seconds: elapsed() };
      return;
    }
    result = failed(error, store, state);
  }
  const { outcome, verdicts = [] } = result;
  const ended = { ...step, ...(verdicts.length === 0 ? {} : { verdicts }), seconds: elapsed() };
  yield outcome === "done"
    ? { ...ended, status: "done", detail: result.detail }
    : { ...ended, status: "failed", failure: result.failure };
  const deployed = outcome === "done" && result.deployed !== undefined ? { deployed: result.deployed } : {};
  const event = outcome === "done" ? { type: "done" as const } : { type: "fail" as const, failure: result.failure };
  let moved: boolean;
  try {
    moved = yield* retryTransient(run, () => run.dispatch(event, { verdicts, during: state, ...deployed }));
  } catch (error) {
    if (run.left) return;
    throw error;
  }
  // The handler is done, but the next state needs a slot that is not ready yet.
  if (!moved && store.machine.state === state && !run.left) await run.sleep(POLL_MS);
}

/** Waits while the rollout is paused. Only for states without gates: gates continue during a pause. */
async function* waitForPause(run: StateRun, id: string): Operation<void> {
  let reported = false;
  while (run.machine.pause !== undefined) {
    const { by, at } = run.machine.pause;
    const detail = `paused by ${by} at ${at}`;
    if (!reported) yield { type: "step", id, title: stateLabel(run.machine), status: "progress", detail };
    reported = true;
    await run.sleep(POLL_MS);
  }
}

/** A state's handler, which is abandoned as soon as the signal aborts, even if it does not react. */
async function* leavable(
  handler: Operation<StepResult>,
  signal: AbortSignal,
  abandoned: Set<Promise<unknown>>,
): Operation<StepResult> {
  const { promise: left, reject } = Promise.withResolvers<never>();
  left.catch(() => undefined);
  const leave = (): void => {
    reject(signal.reason);
  };
  signal.addEventListener("abort", leave, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = handler.next();
      abandoned.add(next);
      const { done, value } = await Promise.race([next, left]);
      abandoned.delete(next);
      if (done === true) return value;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", leave);
    // Runs the handler's `finally` when the handler reacts.
    const closing = handler.return({ outcome: "done", detail: "" }).catch(() => undefined);
    abandoned.add(closing);
    void closing.then(() => abandoned.delete(closing));
  }
}

/** How a step that was left has ended. A promotion is an end as good as a pass. */
function leftBy(reason: unknown): Pick<StepEvent, "status" | "detail" | "request"> {
  if (!(reason instanceof Requested)) return { status: "skipped", detail: messageOf(reason) };
  const { request } = reason;
  return { status: request.action === "promote" ? "done" : "skipped", request };
}

/** Waits for handlers that were left. @returns whether all have ended */
async function settled(abandoned: ReadonlySet<Promise<unknown>>): Promise<boolean> {
  if (abandoned.size === 0) return true;
  const all = Promise.allSettled(abandoned).then(() => true);
  return Promise.race([all, sleep(ABANDONED_MS, false, { ref: false })]);
}

/** The result of a handler that threw. @throws the error if it ends the operation */
function failed(error: unknown, store: RolloutStore, state: RolloutState): StepResult {
  if (store.context.signal.aborted) throw store.context.signal.reason;
  if (store.ended.aborted) throw lostLease(store.ended.reason);
  // The users are on the right slot: a slot that cannot be stopped only ends its emptying.
  const emptying = (state.name === "rollback" && state.phase === "drain") || state.name === "retire";
  // A rollback has no further fallback, and a lost lease must not lead to another write.
  if ((state.name === "rollback" && !emptying) || isRefusal(error)) throw error;
  // One line with place and fix, since the history keeps only this.
  const message =
    error instanceof UserError ? `${error.where}: ${error.message}; fix: ${error.fix.toString()}` : messageOf(error);
  return { outcome: "fail", failure: { code: "error", message } };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function describe({ machine: { state }, journal }: RolloutStore, plan: RolloutPlan, milliseconds: number): string {
  const weights = tableLabel(journal.table);
  const change = milliseconds > 0 ? `, in force after ${milliseconds.toFixed(0)} ms` : "";
  if (state.name === "rollback" && state.reason !== "") return `${state.reason}; ${weights}${change}`;
  if (state.name === "deploy") return `${plan.image} into ${plan.candidate}`;
  return `${weights}${change}`;
}
