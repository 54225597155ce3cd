import { setTimeout as sleep } from "node:timers/promises";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { SERVER_PATHS } from "../../contract/server.ts";
import { awaitQuiet, emptySlot } from "./drain.ts";
import { watchStep } from "./hold.ts";
import { atRest, stableIsStopping, stateLabel, type RolloutState } from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";
import { listen } from "./requests.ts";
import { restarts } from "./restarts.ts";
import { lostLease, type RolloutSession } from "./session.ts";
import { smokeTest, testerHeaders } from "./smoke.ts";
import { tableLabel } from "./traffic/envoy.ts";
import type { Work, Working } from "./work.ts";

/** How long a new container must be ready without a break: the router's DNS and health checks run once per second. */
export const SETTLE_SECONDS = 3;

/** How long work that was left may take to notice it, milliseconds. */
const ABANDONED_MS = 10_000;

/**
 * Drives the machine until it rests. Each turn reads the router back, does the work of the state, and journals the
 * next state before anything of it is done. Meanwhile it hears what other terminals ask for: a request that leads out of
 * the state does not wait for its work.
 *
 * A state whose work fails leads to the rollback. What leaves the loop as an error leaves a journal that `resume` and
 * `abort` understand: the loss of the lease, Ctrl-C, a journal or a router that cannot be written.
 */
export async function* drive(session: RolloutSession): AsyncGenerator<ExaiEvent, void, void> {
  // A request that was accepted in the last moment leads out of the rest again.
  do yield* driveToRest(session);
  while (!atRest(session.machine));
}

async function* driveToRest(session: RolloutSession): AsyncGenerator<ExaiEvent, void, void> {
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
        await session.enforce();
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
): AsyncGenerator<ExaiEvent, void, void> {
  const { machine, signal } = session;
  const { state } = machine;
  const workOf = session.context.work ?? stateWork;
  const left = (): boolean => signal.aborted && !session.ended.aborted;
  let milliseconds: number;
  try {
    milliseconds = await session.enforce();
  } catch (error) {
    if (left()) return;
    throw error;
  }
  const step = { type: "step", id: stepId(state, plan), title: stateLabel(machine) } as const;
  const started = performance.now();
  yield { ...step, status: "started", detail: describe(state, plan, session, milliseconds) };
  let work: Work;
  try {
    yield* unpaused(session, step);
    // What is closed or deployed here may still be in the hands of a work that was left.
    if (state.name === "rollback" && state.phase !== "flip") await settled(abandoned);
    work = yield* leavable(workOf(session, state, plan), signal, abandoned);
  } catch (error) {
    if (left()) {
      yield { ...step, status: "failed", detail: reasonOf(signal), seconds: (performance.now() - started) / 1000 };
      return;
    }
    work = failureOf(error, session, state);
  }
  const seconds = (performance.now() - started) / 1000;
  yield { ...step, status: work.outcome === "done" ? "done" : "failed", detail: work.detail, seconds };
  const event = work.outcome === "done" ? { type: "done" as const } : { type: "fail" as const, reason: work.detail };
  const facts = { verdicts: work.verdicts ?? [], during: state, ...(work.deployed && { deployed: work.deployed }) };
  // The work is done, but the next state must wait for a colour: look again shortly.
  if (!(await session.happened(event, facts)) && session.machine.state === state && !left()) await session.sleep(250);
}

/** Before the candidate has users, a pause holds between two works; afterwards the gates go on during it. */
async function* unpaused(
  session: RolloutSession,
  step: { readonly id: string },
): AsyncGenerator<ExaiEvent, void, void> {
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
    const closing = work.return({ outcome: "fail", detail: "" }).catch(() => undefined);
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
  if ((state.name === "rollback" && !emptying) || (error instanceof UserError && error.exitCode === EXIT.refused))
    throw error;
  // One line, with what it is about and the mend: the history keeps nothing else of it.
  if (error instanceof UserError)
    return { outcome: "fail", detail: `${error.where}: ${error.message}; mend: ${error.mend}` };
  return { outcome: "fail", detail: error instanceof Error ? error.message : String(error) };
}

function stepId(state: RolloutState, plan: RolloutPlan): string {
  return state.name === "shift" ? `shift-${String(plan.steps[state.step])}` : state.name;
}

function describe(state: RolloutState, plan: RolloutPlan, session: RolloutSession, milliseconds: number): string {
  const weights = tableLabel(session.journal.table);
  const change = milliseconds > 0 ? `, in force after ${milliseconds.toFixed(0)} ms` : "";
  if (state.name === "rollback") return `${state.reason}; ${weights}${change}`;
  if (state.name === "deploy") return `${plan.image} into ${plan.candidate}`;
  return `${weights}${change}`;
}

/** The work of a state, in the world. */
export async function* stateWork(session: RolloutSession, state: RolloutState, plan: RolloutPlan): Working {
  switch (state.name) {
    case "prepare":
      return { outcome: "done", detail: `${plan.stable} has the users, ${plan.candidate} gets ${plan.image}` };
    case "drain":
      return yield* awaitQuiet(session, plan.candidate, plan.drainSeconds);
    case "deploy":
      return yield* deploy(session, plan);
    case "ready":
      return yield* becomeReady(session, plan);
    case "smoke":
      return yield* smoke(session, plan);
    case "migrate":
      return { outcome: "done", detail: (await session.context.schema?.expand(session.signal)) ?? "nothing to expand" };
    case "shift":
      // With all the users on it, the candidate is judged while it bakes.
      if (plan.steps[state.step] === 100) return { outcome: "done", detail: `${plan.candidate} has all users` };
      return yield* watchStep(session, plan, plan.holdSeconds);
    case "approve":
      yield { type: "note", level: "info", message: approvalWanted(plan) };
      return yield* watchStep(session, plan, plan.holdSeconds, false);
    case "bake":
      return yield* watchStep(session, plan, plan.bakeSeconds);
    case "retire":
      if (state.phase === "wait") return yield* awaitQuiet(session, plan.stable, state.drainSeconds);
      return yield* emptySlot(session, plan.stable);
    case "rollback":
      if (state.phase === "revive") return yield* revive(session, plan);
      if (state.phase === "drain") return yield* emptySlot(session, plan.candidate);
      return { outcome: "done", detail: `${plan.stable} has all users` };
    case "idle":
    case "standby":
      return { outcome: "done", detail: "" };
  }
}

function approvalWanted(plan: RolloutPlan): string {
  return `${plan.candidate} waits for an approval before it gets all users: ./exai rollout promote, or ./exai rollout abort`;
}

async function* deploy(session: RolloutSession, plan: RolloutPlan): Working {
  const { deployer } = session.context;
  if ((await deployer.status(plan.candidate)).running) yield* emptySlot(session, plan.candidate);
  const status = await session.deploy(plan.candidate, plan.image);
  // In one write with the transition: the restarts are counted from here, also after a crash.
  return { outcome: "done", detail: status.digest ?? status.image ?? plan.image, deployed: status };
}

async function* becomeReady(session: RolloutSession, plan: RolloutPlan): Working {
  const { context } = session;
  const started = performance.now();
  let since: number | undefined;
  let last = "";
  for (;;) {
    const now = performance.now();
    const { outcome, detail } = await restarts(session, plan);
    if (outcome === "fail") return { outcome: "fail", detail: `${detail}${await lastWords(session, plan)}` };
    const [ready, answer] = await Promise.all([session.look(), readyAnswer(session, plan)]);
    if (ready[plan.candidate] && answer === "HTTP 200") {
      since ??= now;
      if (now - since >= SETTLE_SECONDS * 1000) {
        return { outcome: "done", detail: `ready after ${((since - started) / 1000).toFixed(1)} s` };
      }
    } else {
      since = undefined;
      last = ready[plan.candidate] ? answer : `the router sees it unready, ${SERVER_PATHS.ready} answers ${answer}`;
    }
    if (since === undefined && now - started > context.deadlines.readySeconds * 1000) {
      const seconds = String(context.deadlines.readySeconds);
      return {
        outcome: "fail",
        detail: `${plan.candidate} is not ready after ${seconds} s: ${last}${await lastWords(session, plan)}`,
      };
    }
    yield {
      type: "step",
      id: "ready",
      title: "ready",
      status: "progress",
      detail: since === undefined ? last : "ready",
    };
    await session.sleep(500);
  }
}

async function readyAnswer(session: RolloutSession, plan: RolloutPlan): Promise<string> {
  try {
    const url = new URL(SERVER_PATHS.ready, session.context.routerUrl);
    const signal = AbortSignal.any([session.signal, AbortSignal.timeout(2000)]);
    const response = await fetch(url, { headers: testerHeaders(plan.candidate), signal });
    await response.arrayBuffer();
    return `HTTP ${String(response.status)}`;
  } catch {
    return "nothing";
  }
}

async function lastWords(session: RolloutSession, plan: RolloutPlan): Promise<string> {
  const text = await session.context.deployer.logs?.(plan.candidate, 3).catch(() => "");
  return text === undefined || text.trim() === "" ? "" : `; its last lines: ${text.trim()}`;
}

async function* smoke(session: RolloutSession, plan: RolloutPlan): Working {
  let count = 0;
  for await (const check of smokeTest(session.context, plan.candidate)) {
    count += 1;
    const detail = `${check.name}: ${check.detail}, ${check.milliseconds.toFixed(0)} ms`;
    yield { type: "step", id: "smoke", title: "smoke", status: "progress", detail };
  }
  return { outcome: "done", detail: `${String(count)} checks passed` };
}

/** Brings the stable colour back up while the candidate keeps the users. */
async function* revive(session: RolloutSession, plan: RolloutPlan): Working {
  const { deployer, deadlines } = session.context;
  // A slot that was being stopped may still look alive.
  if (stableIsStopping(session.machine)) yield* emptySlot(session, plan.stable);
  const status = await deployer.status(plan.stable);
  const image = plan.stableImage ?? session.journal.images[plan.stable] ?? status.image;
  if (!status.running && image !== undefined) {
    yield {
      type: "note",
      level: "warning",
      message: `${plan.stable} is down: deploying ${image} again before the rollback`,
    };
    await session.deploy(plan.stable, image);
  }
  const deadline = performance.now() + deadlines.readySeconds * 1000;
  while (performance.now() < deadline) {
    const ready = await session.look();
    if (ready[plan.stable]) return { outcome: "done", detail: `${plan.stable} is ready again` };
    // Neither answers: the users go where they were served before.
    if (!ready[plan.candidate]) return { outcome: "done", detail: `${plan.candidate} is down as well` };
    await session.sleep(500);
  }
  return {
    outcome: "fail",
    detail: `${plan.stable} is not ready after ${String(deadlines.readySeconds)} s, so ${plan.candidate} keeps the users`,
  };
}
