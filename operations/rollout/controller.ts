import { setTimeout as sleep } from "node:timers/promises";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { SERVER_PATHS } from "../../contract/server.ts";
import { watchStep } from "./hold.ts";
import { atRest, stateLabel, type RolloutState } from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";
import { restarts } from "./restarts.ts";
import { lostLease, type RolloutSession } from "./session.ts";
import { smokeTest, testerHeaders } from "./smoke.ts";
import { tableLabel } from "./traffic/envoy.ts";
import type { Work, Working } from "./work.ts";

/** How long a new container must be ready without a break: the router's DNS and health checks run once per second. */
const SETTLE_SECONDS = 3;

/**
 * Drives the machine until it rests. Each turn reads the router back, does the work of the state, and journals the
 * next state before anything of it is done.
 *
 * A state whose work fails leads to the rollback. What leaves the loop as an error leaves a journal that `resume` and
 * `abort` understand: the loss of the lease, Ctrl-C, a journal or a router that cannot be written.
 */
export async function* drive(session: RolloutSession): AsyncGenerator<ExaiEvent, void, void> {
  for (;;) {
    if (session.signal.aborted) throw session.signal.reason;
    const { machine } = session;
    const { state, plan } = machine;
    const milliseconds = await session.enforce();
    if (plan === undefined || atRest(machine)) return;
    const step = { type: "step", id: stepId(machine.state, plan), title: stateLabel(machine) } as const;
    const started = performance.now();
    yield { ...step, status: "started", detail: describe(state, plan, session, milliseconds) };
    let work: Work;
    try {
      work = yield* workOf(session, state, plan);
    } catch (error) {
      work = failureOf(error, session, state);
    }
    const seconds = (performance.now() - started) / 1000;
    yield { ...step, status: work.outcome === "done" ? "done" : "failed", detail: work.detail, seconds };
    // The work itself may have left the state: a deployment with what it deployed, a look at a colour that died.
    if (session.machine !== machine) continue;
    const moved = await session.happened(
      work.outcome === "done" ? { type: "done" } : { type: "fail", reason: work.detail },
      work.verdicts,
    );
    // The work is done, but the next state must wait for a colour: look again shortly.
    if (!moved) await sleep(250, undefined, { signal: session.signal });
  }
}

function failureOf(error: unknown, session: RolloutSession, state: RolloutState): Work {
  if (session.context.signal.aborted) throw session.context.signal.reason;
  if (session.signal.aborted) throw lostLease(session.signal.reason);
  // The rollback itself has nowhere to fall back to, and a lost lease must not be answered with another write.
  if (state.name === "rollback" || (error instanceof UserError && error.exitCode === EXIT.refused)) throw error;
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

async function* workOf(session: RolloutSession, state: RolloutState, plan: RolloutPlan): Working {
  switch (state.name) {
    case "prepare":
      return { outcome: "done", detail: `${plan.stable} has the users, ${plan.candidate} gets ${plan.image}` };
    case "deploy":
      return deploy(session, plan);
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
    case "bake":
      return yield* watchStep(session, plan, plan.bakeSeconds);
    case "rollback":
      if (state.phase === "revive") return yield* revive(session, plan);
      return { outcome: "done", detail: `${plan.stable} has all users` };
    case "idle":
    case "standby":
      return { outcome: "done", detail: "" };
  }
}

async function deploy(session: RolloutSession, plan: RolloutPlan): Promise<Work> {
  const status = await session.context.deployer.deploy(plan.candidate, plan.image, session.signal);
  // In one write with the transition: the restarts are counted from here, also after a crash.
  await session.happened({ type: "done" }, [], status);
  return { outcome: "done", detail: status.digest ?? status.image ?? plan.image };
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
    await sleep(500, undefined, { signal: session.signal });
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
  const status = await deployer.status(plan.stable);
  const image = plan.stableImage ?? session.journal.images[plan.stable] ?? status.image;
  if (!status.running && image !== undefined) {
    yield {
      type: "note",
      level: "warning",
      message: `${plan.stable} is down: deploying ${image} again before the rollback`,
    };
    await deployer.deploy(plan.stable, image, session.signal);
  }
  const deadline = performance.now() + deadlines.readySeconds * 1000;
  while (performance.now() < deadline) {
    const ready = await session.look();
    if (ready[plan.stable]) return { outcome: "done", detail: `${plan.stable} is ready again` };
    // Neither answers: the users go where they were served before.
    if (await session.happened({ type: "observe" }))
      return { outcome: "done", detail: `${plan.candidate} is down as well` };
    await sleep(500, undefined, { signal: session.signal });
  }
  return {
    outcome: "fail",
    detail: `${plan.stable} is not ready after ${String(deadlines.readySeconds)} s, so ${plan.candidate} keeps the users`,
  };
}
