import { isRefusal } from "../../../contract/errors.ts";
import type { ProgressEvent } from "../../../contract/events.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { awaitQuiet, emptySlot } from "./drain.ts";
import { watchStep } from "./hold-step.ts";
import { stableIsStopping, type RolloutState } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { migrationLabel } from "../../migrations/files.ts";
import type { SchemaMigration } from "../../schema/state.ts";
import { restarts } from "./restarts.ts";
import type { RolloutSession } from "./store.ts";
import { SmokeError, smokeTest, testerHeaders } from "../probes/smoke.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { Working } from "./step-result.ts";

/** How long a new container must be ready without a break: the router's DNS and health checks run once per second. */
export const SETTLE_SECONDS = 3;

/** Milliseconds between two looks at a slot that is to become ready, and between two tries where that failed. */
const LOOK_MS = 500;
const RETRY_MS = 5000;

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
      return { outcome: "done", detail: expandedText(await session.context.schema?.expand(session.signal)) };
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

function expandedText(applied: readonly SchemaMigration[] = []): string {
  return applied.length === 0 ? "nothing to expand" : `${applied.map(migrationLabel).join(", ")} applied`;
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
    const { restarted, unready } = await candidateNow(session, plan);
    if (restarted !== undefined) {
      const failure = { code: "container-failed", slot: plan.candidate, verdict: restarted } as const;
      return { outcome: "fail", failure: { ...failure, ...(await lastLines(session, plan)) } };
    }
    if (unready === undefined) {
      since ??= now;
      if (now - since >= SETTLE_SECONDS * 1000) {
        return { outcome: "done", detail: `ready after ${((since - started) / 1000).toFixed(1)} s` };
      }
    } else {
      since = undefined;
      last = unready;
    }
    if (since === undefined && now - started > context.deadlines.readySeconds * 1000) {
      const failure = {
        code: "not-ready",
        slot: plan.candidate,
        seconds: context.deadlines.readySeconds,
        last,
      } as const;
      return { outcome: "fail", failure: { ...failure, ...(await lastLines(session, plan)) } };
    }
    yield {
      type: "step",
      id: "ready",
      title: "ready",
      status: "progress",
      detail: since === undefined ? last : "ready",
    };
    await session.sleep(LOOK_MS);
  }
}

/**
 * Why the candidate is not ready, or that it has restarted; neither where it is. What asks the platform or the router may
 * fail for a moment, which says nothing of the candidate: the deadline judges it.
 */
async function candidateNow(
  session: RolloutSession,
  plan: RolloutPlan,
): Promise<{ readonly restarted?: Verdict; readonly unready?: string }> {
  try {
    const restarted = await restarts(session, plan);
    if (restarted.verdict === "fail") return { restarted };
    const [ready, answer] = await Promise.all([session.look(), readyAnswer(session, plan)]);
    if (!ready[plan.candidate])
      return { unready: `the router sees it unready, ${SERVER_PATHS.ready} answers ${answer}` };
    return answer === "HTTP 200" ? {} : { unready: answer };
  } catch (error) {
    return { unready: failing(session, error) };
  }
}

/** What an error says, where it may be over at the next try. @throws it where it cannot be */
function failing(session: RolloutSession, error: unknown): string {
  if (session.signal.aborted || isRefusal(error)) throw error;
  return error instanceof Error ? error.message : String(error);
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

/** The last lines of the candidate's log. */
async function lastLines(session: RolloutSession, plan: RolloutPlan): Promise<{ readonly log?: string }> {
  const log = (await session.context.deployer.logs?.(plan.candidate, 3).catch(() => ""))?.trim() ?? "";
  return log === "" ? {} : { log };
}

async function* smoke(session: RolloutSession, plan: RolloutPlan): Working {
  let count = 0;
  try {
    for await (const check of smokeTest(session.context, plan.candidate)) {
      count += 1;
      const detail = `${check.name}: ${check.detail}, ${check.milliseconds.toFixed(0)} ms`;
      yield { type: "step", id: "smoke", title: "smoke", status: "progress", detail };
    }
  } catch (error) {
    if (!(error instanceof SmokeError)) throw error;
    return { outcome: "fail", failure: { code: "smoke-failed", check: error.check, message: error.problem } };
  }
  return { outcome: "done", detail: `${String(count)} checks passed` };
}

/**
 * Brings the stable slot back up while the candidate keeps the users. What fails is tried again until the deadline: a
 * rollback has nowhere else to go, and one that cannot be done must end, so that something else can be.
 */
async function* revive(session: RolloutSession, plan: RolloutPlan): Working {
  const { readySeconds } = session.context.deadlines;
  const fromNow = (): number => performance.now() + readySeconds * 1000;
  let deadline = fromNow();
  let last = "it does not become ready";
  // A slot that was being stopped may still look alive.
  let stopping = stableIsStopping(session.machine);
  let deployed = false;
  do {
    let pause = LOOK_MS;
    try {
      if (stopping) yield* emptySlot(session, plan.stable);
      stopping = false;
      if ((yield* startStable(session, plan)) && !deployed) {
        // Once: a container that dies again and again is no reason to wait for ever.
        deadline = fromNow();
        deployed = true;
      }
      const ready = await session.look();
      if (ready[plan.stable]) return { outcome: "done", detail: `${plan.stable} is ready again` };
      // Neither answers: the users go where they were served before.
      if (!ready[plan.candidate]) return { outcome: "done", detail: `${plan.candidate} is down as well` };
    } catch (error) {
      const detail = failing(session, error);
      if (detail !== last) yield { type: "note", level: "warning", message: `${detail}; trying again` };
      last = detail;
      pause = RETRY_MS;
    }
    await session.sleep(pause);
  } while (performance.now() < deadline);
  return { outcome: "fail", failure: { code: "not-ready", slot: plan.stable, seconds: readySeconds, last } };
}

/** Deploys what the stable slot ran, where nothing runs there. @returns whether it did */
async function* startStable(session: RolloutSession, plan: RolloutPlan): AsyncGenerator<ProgressEvent, boolean, void> {
  const status = await session.context.deployer.status(plan.stable);
  const image = plan.stableImage ?? session.journal.images[plan.stable] ?? status.image;
  if (status.running || image === undefined) return false;
  const message = `${plan.stable} is down: deploying ${image} again before the rollback`;
  yield { type: "note", level: "warning", message };
  await session.deploy(plan.stable, image);
  return true;
}
