import { setTimeout as sleep } from "node:timers/promises";
import { isRefusal, UserError } from "../../../contract/errors.ts";
import type { ProgressEvent } from "../../../contract/events.ts";
import { atRest, type RolloutState } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { insisting } from "./retry.ts";
import { listen } from "./requests.ts";
import { lostLease, type RolloutSession } from "./store.ts";
import type { Work, Working } from "./step-result.ts";
import { stateLabel, tableLabel } from "../model/labels.ts";

/** How long work that was left may take to notice it, milliseconds. */
const ABANDONED_MS = 10_000;

/**
 * Drives the machine until it rests. Each turn puts the state's table in force, does the work of the state, and journals
 * the next state before anything of it is done. Meanwhile it hears what other terminals ask for: a request that leads out of
 * the state does not wait for its work.
 *
 * A state whose work fails leads to the rollback. A journal or a router that fails between two states is tried again for a
 * while. What leaves the loop as an error leaves a journal that `resume` and `abort` understand: the loss of the lease, Ctrl-C,
 * a journal or a router that cannot be written for long.
 */
export async function* drive(session: RolloutSession): AsyncGenerator<ProgressEvent, void, void> {
  // A request that was accepted in the last moment leads out of the rest again.
  do yield* driveToRest(session);
  while (!atRest(session.machine));
}

async function* driveToRest(session: RolloutSession): AsyncGenerator<ProgressEvent, void, void> {
  const silence = new AbortController();
  let deaf: Error | undefined;
  const listening = listen(session, AbortSignal.any([silence.signal, session.ended])).catch((error: unknown) => {
    deaf = error instanceof Error ? error : new Error(String(error));
    session.leave(deaf);
  });
  const abandoned = new Set<Promise<unknown>>();
  try {
    for (;;) {
      session.enter();
      if (deaf !== undefined) throw deaf;
      session.ended.throwIfAborted();
      if (session.machine.plan === undefined || atRest(session.machine)) {
        try {
          yield* insisting(session, () => session.enforce());
        } catch (error) {
          // A request has led out of the rest, and the next turn puts its table in force.
          if (session.ended.aborted || !session.signal.aborted) throw error;
        }
        return;
      }
      yield* turnOf(session, session.machine.plan, abandoned);
    }
  } finally {
    silence.abort();
    // The lease is given back after this: nothing may go on without it.
    await Promise.all([listening, settled(abandoned)]);
  }
}

/** One turn: the router has the state's table, the state's work is done, and the next state is journalled. */
async function* turnOf(
  session: RolloutSession,
  plan: RolloutPlan,
  abandoned: Set<Promise<unknown>>,
): AsyncGenerator<ProgressEvent, void, void> {
  const { machine, signal } = session;
  const { state } = machine;
  const left = (): boolean => signal.aborted && !session.ended.aborted;
  let milliseconds: number;
  try {
    milliseconds = yield* insisting(session, () => session.enforce());
  } catch (error) {
    if (left()) return;
    throw error;
  }
  const step = { type: "step", id: stepId(state, plan), title: stateLabel(machine) } as const;
  const started = performance.now();
  yield {
    ...step,
    status: "started",
    detail: describe(state, plan, session, milliseconds),
    ...(state.name === "rollback" && state.failure !== undefined ? { failure: state.failure } : {}),
  };
  let work: Work;
  try {
    yield* unpaused(session, step);
    // What is closed or deployed here may still be in the hands of a work that was left.
    if (state.name === "rollback" && state.phase !== "flip") await settled(abandoned);
    // Loaded when the users are where the state wants them: a rollback moves them first.
    const workOf = session.context.work ?? (await import("./state-handlers.ts")).stateWork;
    work = yield* leavable(workOf(session, state, plan), signal, abandoned);
  } catch (error) {
    if (left()) {
      yield { ...step, status: "failed", detail: reasonOf(signal), seconds: (performance.now() - started) / 1000 };
      return;
    }
    work = failureOf(error, session, state);
  }
  const seconds = (performance.now() - started) / 1000;
  const verdicts = work.verdicts ?? [];
  const ended = { ...step, ...(verdicts.length === 0 ? {} : { verdicts }), seconds };
  yield work.outcome === "done"
    ? { ...ended, status: "done", detail: work.detail }
    : { ...ended, status: "failed", failure: work.failure };
  const event = work.outcome === "done" ? { type: "done" as const } : { type: "fail" as const, failure: work.failure };
  const deployed = work.outcome === "done" ? work.deployed : undefined;
  const facts = { verdicts, during: state, ...(deployed === undefined ? {} : { deployed }) };
  let moved: boolean;
  try {
    moved = yield* insisting(session, () => session.happened(event, facts));
  } catch (error) {
    if (left()) return;
    throw error;
  }
  // The work is done, but the next state must wait for a slot: look again shortly.
  if (!moved && session.machine.state === state && !left()) await session.sleep(250);
}

/** Before the candidate has users, a pause holds between two works; afterwards the gates go on during it. */
async function* unpaused(
  session: RolloutSession,
  step: { readonly id: string },
): AsyncGenerator<ProgressEvent, void, void> {
  const { state } = session.machine;
  if (state.name === "shift" || state.name === "approve" || state.name === "bake") return;
  let said = false;
  while (session.machine.pause !== undefined) {
    const { by, at } = session.machine.pause;
    const detail = `${by} has paused it at ${at}`;
    if (!said) yield { type: "step", id: step.id, title: stateLabel(session.machine), status: "progress", detail };
    said = true;
    await session.sleep(250);
  }
}

/** A state's work, which is left behind as soon as the signal says so, whether it notices or not. */
async function* leavable(work: Working, signal: AbortSignal, abandoned: Set<Promise<unknown>>): Working {
  const { promise: left, reject } = Promise.withResolvers<never>();
  left.catch(() => undefined);
  const leave = (): void => {
    reject(signal.reason);
  };
  signal.addEventListener("abort", leave, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = work.next();
      abandoned.add(next);
      const { done, value } = await Promise.race([next, left]);
      abandoned.delete(next);
      if (done === true) return value;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", leave);
    // Its own `finally` runs when it notices.
    const closing = work.return({ outcome: "done", detail: "" }).catch(() => undefined);
    abandoned.add(closing);
    void closing.then(() => abandoned.delete(closing));
  }
}

async function settled(abandoned: ReadonlySet<Promise<unknown>>): Promise<void> {
  if (abandoned.size > 0)
    await Promise.race([Promise.allSettled(abandoned), sleep(ABANDONED_MS, undefined, { ref: false })]);
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
}

function failureOf(error: unknown, session: RolloutSession, state: RolloutState): Work {
  if (session.context.signal.aborted) throw session.context.signal.reason;
  if (session.ended.aborted) throw lostLease(session.ended.reason);
  // Users are where they belong: a slot that could not be stopped ends nothing but its own emptying.
  const emptying = (state.name === "rollback" && state.phase === "drain") || state.name === "retire";
  // The rollback itself has nowhere to fall back to, and a lost lease must not be answered with another write.
  if ((state.name === "rollback" && !emptying) || isRefusal(error)) throw error;
  // One line, with what it is about and the fix: the history keeps nothing else of it.
  const message =
    error instanceof UserError
      ? `${error.where}: ${error.message}; fix: ${error.fix.toString()}`
      : error instanceof Error
        ? error.message
        : String(error);
  return { outcome: "fail", failure: { code: "error", message } };
}

function stepId(state: RolloutState, plan: RolloutPlan): string {
  return state.name === "shift" ? `shift-${String(plan.steps[state.step])}` : state.name;
}

function describe(state: RolloutState, plan: RolloutPlan, session: RolloutSession, milliseconds: number): string {
  const weights = tableLabel(session.journal.table);
  const change = milliseconds > 0 ? `, in force after ${milliseconds.toFixed(0)} ms` : "";
  if (state.name === "rollback" && state.reason !== "") return `${state.reason}; ${weights}${change}`;
  if (state.name === "deploy") return `${plan.image} into ${plan.candidate}`;
  return `${weights}${change}`;
}
