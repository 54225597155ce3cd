import { isRefusal } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { awaitDrained, emptySlot } from "./drain.ts";
import { holdHooks } from "./hold-hooks.ts";
import { holdStep } from "./hold-step.ts";
import { stableIsStopping, type RolloutState } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { migrationLabel } from "../../../contract/sql/files.ts";
import type { SchemaMigration } from "../../schema/state.ts";
import { restarts } from "./restarts.ts";
import type { StateRun } from "./state-run.ts";
import { SmokeError, smokeTest } from "../probes/smoke.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { StepResult } from "./step-result.ts";

/** How long a new container must be ready without interruption: the router's DNS and health checks run once per second. */
export const SETTLE_SECONDS = 3;

/** Milliseconds between two checks of a slot's readiness, and between two attempts after an error. */
const POLL_MS = 500;
const RETRY_MS = 5000;

/** Does the work of a state. */
export async function* handleState(run: StateRun, state: RolloutState, plan: RolloutPlan): Operation<StepResult> {
  switch (state.name) {
    case "prepare":
      return { outcome: "done", detail: `${plan.stable} has the users, ${plan.candidate} gets ${plan.image}` };
    case "drain":
      return yield* awaitDrained(run, plan.candidate, plan.drainSeconds);
    case "deploy":
      return yield* deploy(run, plan);
    case "ready":
      return yield* becomeReady(run, plan);
    case "smoke":
      return yield* smoke(run, plan);
    case "migrate":
      return { outcome: "done", detail: expandedText(await run.context.schema?.expand(run.signal)) };
    case "shift":
      // At 100 % the candidate is judged by the bake.
      if (plan.steps[state.step] === 100) return { outcome: "done", detail: `${plan.candidate} has all users` };
      return yield* holdStep(run, plan, plan.holdSeconds);
    case "approve":
      yield { type: "note", level: "info", message: approvalWanted(plan) };
      return yield* holdStep(run, plan, plan.holdSeconds, false);
    case "hooks":
      return yield* holdHooks(run, state, plan);
    case "bake":
      return yield* holdStep(run, plan, plan.bakeSeconds);
    case "retire":
      if (state.phase === "wait") return yield* awaitDrained(run, plan.stable, state.drainSeconds);
      return yield* emptySlot(run, plan.stable);
    case "rollback":
      if (state.phase === "revive") return yield* revive(run, plan);
      if (state.phase === "drain") return yield* emptySlot(run, plan.candidate);
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
  return `${plan.candidate} waits for an approval before it gets all users`;
}

async function* deploy(run: StateRun, plan: RolloutPlan): Operation<StepResult> {
  const { deployer } = run.context;
  if ((await deployer.status(plan.candidate)).running) yield* emptySlot(run, plan.candidate);
  const status = await run.deploy(plan.candidate, plan.image);
  // Written with the transition, so restarts are counted from here even after a crash.
  return { outcome: "done", detail: status.digest ?? status.image ?? plan.image, deployed: status };
}

async function* becomeReady(run: StateRun, plan: RolloutPlan): Operation<StepResult> {
  const { context } = run;
  const started = performance.now();
  let since: number | undefined;
  let last = "";
  for (;;) {
    const now = performance.now();
    const { restarted, unready } = await candidateNow(run, plan);
    if (restarted !== undefined) {
      const failure = { code: "container-failed", slot: plan.candidate, verdict: restarted } as const;
      return { outcome: "fail", failure: { ...failure, ...(await lastLines(run, plan)) } };
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
      return { outcome: "fail", failure: { ...failure, ...(await lastLines(run, plan)) } };
    }
    yield {
      type: "step",
      id: "ready",
      title: "ready",
      status: "progress",
      detail: since === undefined ? last : "ready",
    };
    await run.sleep(POLL_MS);
  }
}

/**
 * Why the candidate is not ready, or the verdict if it has restarted; neither if it is ready. Errors of the platform or the
 * router count as not ready: the deadline applies.
 */
async function candidateNow(
  run: StateRun,
  plan: RolloutPlan,
): Promise<{ readonly restarted?: Verdict; readonly unready?: string }> {
  try {
    const restarted = await restarts(run, plan);
    if (restarted.verdict === "fail") return { restarted };
    const [ready, answer] = await Promise.all([run.readiness(), readyAnswer(run, plan)]);
    if (!ready[plan.candidate])
      return { unready: `the router reports it not ready, ${SERVER_PATHS.ready} returns ${answer}` };
    return answer === "HTTP 200" ? {} : { unready: answer };
  } catch (error) {
    return { unready: transient(run, error) };
  }
}

/** The message of an error that may be transient. @throws other errors */
function transient(run: StateRun, error: unknown): string {
  if (run.signal.aborted || isRefusal(error)) throw error;
  return error instanceof Error ? error.message : String(error);
}

async function readyAnswer(run: StateRun, plan: RolloutPlan): Promise<string> {
  try {
    const url = new URL(SERVER_PATHS.ready, run.context.routerUrl);
    const signal = AbortSignal.any([run.signal, AbortSignal.timeout(2000)]);
    const response = await fetch(url, { headers: await run.context.access.probe(plan.candidate), signal });
    await response.arrayBuffer();
    return `HTTP ${String(response.status)}`;
  } catch {
    return "no answer";
  }
}

/** The last lines of the candidate's log. */
async function lastLines(run: StateRun, plan: RolloutPlan): Promise<{ readonly log?: string }> {
  const log = (await run.context.deployer.logs?.(plan.candidate, 3).catch(() => ""))?.trim() ?? "";
  return log === "" ? {} : { log };
}

async function* smoke(run: StateRun, plan: RolloutPlan): Operation<StepResult> {
  let count = 0;
  try {
    for await (const check of smokeTest(run.context, plan.candidate)) {
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
 * Brings the stable slot up again while the candidate keeps the users. Errors are retried until the deadline: a rollback has no
 * other fallback, but it must end so that another operation can begin.
 */
async function* revive(run: StateRun, plan: RolloutPlan): Operation<StepResult> {
  const { readySeconds } = run.context.deadlines;
  const fromNow = (): number => performance.now() + readySeconds * 1000;
  let deadline = fromNow();
  let last = "it does not become ready";
  // The router may still report a slot ready that is being stopped.
  let stopping = stableIsStopping(run.machine);
  let deployed = false;
  do {
    let pause = POLL_MS;
    try {
      if (stopping) yield* emptySlot(run, plan.stable);
      stopping = false;
      if ((yield* startStable(run, plan)) && !deployed) {
        // Only once, so that a container that keeps failing does not extend the deadline.
        deadline = fromNow();
        deployed = true;
      }
      const ready = await run.readiness();
      if (ready[plan.stable]) return { outcome: "done", detail: `${plan.stable} is ready again` };
      // If both slots are down, the users return to the stable slot.
      if (!ready[plan.candidate]) return { outcome: "done", detail: `${plan.candidate} is down as well` };
    } catch (error) {
      const detail = transient(run, error);
      if (detail !== last) yield { type: "note", level: "warning", message: `${detail}; trying again` };
      last = detail;
      pause = RETRY_MS;
    }
    await run.sleep(pause);
  } while (performance.now() < deadline);
  return { outcome: "fail", failure: { code: "not-ready", slot: plan.stable, seconds: readySeconds, last } };
}

/** Deploys the stable slot's release if no server runs there. @returns whether it did */
async function* startStable(run: StateRun, plan: RolloutPlan): Operation<boolean> {
  const status = await run.context.deployer.status(plan.stable);
  const image = plan.stableImage ?? run.journal.images[plan.stable] ?? status.image;
  if (status.running || image === undefined) return false;
  const message = `${plan.stable} is down: deploying ${image} again before the rollback`;
  yield { type: "note", level: "warning", message };
  await run.deploy(plan.stable, image);
  return true;
}
