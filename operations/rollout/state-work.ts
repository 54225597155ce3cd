import { SERVER_PATHS } from "../../contract/server.ts";
import { awaitQuiet, emptySlot } from "./drain.ts";
import { watchStep } from "./hold.ts";
import { stableIsStopping, type RolloutState } from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";
import { restarts } from "./restarts.ts";
import type { RolloutSession } from "./session.ts";
import { smokeTest, testerHeaders } from "./smoke.ts";
import type { Working } from "./work.ts";

/** How long a new container must be ready without a break: the router's DNS and health checks run once per second. */
export const SETTLE_SECONDS = 3;

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
