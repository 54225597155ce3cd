import { setTimeout as sleep } from "node:timers/promises";
import { askGates, together, type GateSettings, type StepFacts, type Verdict } from "./gates.ts";
import { stateLabel } from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";
import { Prober } from "./probes.ts";
import { Prometheus, PrometheusError } from "./prometheus.ts";
import { restarts } from "./restarts.ts";
import type { RolloutSession } from "./session.ts";
import type { Work, Working } from "./work.ts";

/** Milliseconds between two looks at the container and the colours' readiness, which cost little. */
const PULSE_MS = 500;

/**
 * Stays on a step: at least as long as it holds, until every gate has passed; a gate that fails ends it at once, and one
 * that has no answer ends it at the deadline. Time alone never passes a step.
 */
export async function* watchStep(session: RolloutSession, plan: RolloutPlan, holdSeconds: number): Working {
  const { gates, prometheusUrl, routerUrl } = session.context;
  const prometheus = new Prometheus(prometheusUrl);
  const prober = new Prober(routerUrl, plan.candidate);
  // The stable colour is the control: what both suffer from is not the candidate's fault, also when it has no users.
  const control = new Prober(routerUrl, plan.stable);
  for (const each of [prober, control]) each.aim(probeRate(gates, holdSeconds));
  const since = Date.now();
  const started = performance.now();
  const deadlineSeconds = holdSeconds + gates.noDataSeconds;
  const facts: StepFacts = {
    looks: Math.max(1, Math.ceil(deadlineSeconds / gates.lookSeconds)),
    usersOnBoth: session.journal.table.weights[plan.stable] > 0,
  };
  const { state } = session.machine;
  const step = {
    type: "step",
    id: state.name === "shift" ? `shift-${String(plan.steps[state.step])}` : state.name,
    title: stateLabel(session.machine),
    status: "progress",
  } as const;
  let verdicts: readonly Verdict[] = [];
  let nextLook = gates.lookSeconds;
  try {
    for (;;) {
      await sleep(PULSE_MS, undefined, { signal: session.signal });
      const elapsed = (performance.now() - started) / 1000;

      const blind = await pulse(session, plan);
      if (blind?.outcome === "fail") return failed([blind]);
      if (session.machine.state !== state) return { outcome: "done", detail: "left by a look" };
      if (elapsed < nextLook) continue;
      nextLook = elapsed + gates.lookSeconds;

      verdicts = [...(await ask(session, prometheus, plan, since, facts)), ...(blind === undefined ? [] : [blind])];
      if (requestsOf(verdicts) >= gates.minimumSamples) {
        prober.aim(0);
        control.aim(0);
      }
      yield { ...step, detail: `${elapsed.toFixed(0)} s: ${summary(verdicts)}` };
      const outcome = together(verdicts);
      if (outcome === "fail") return failed(verdicts);
      if (outcome === "pass" && elapsed >= holdSeconds) {
        const probes = prober.sent > 0 ? `; ${String(prober.sent)} probes` : "";
        return { outcome: "done", detail: `${summary(verdicts)}${probes}`, verdicts };
      }
      if (elapsed >= deadlineSeconds) {
        const open = verdicts.filter((verdict) => verdict.outcome !== "pass").map((verdict) => verdict.detail);
        return {
          outcome: "fail",
          detail: `the gates have not passed within ${String(deadlineSeconds)} s: ${open.join("; ")}`,
          verdicts,
        };
      }
    }
  } finally {
    await Promise.all([prober.stop(), control.stop()]);
  }
}

/** Container and readiness. A deployer or a router that does not answer is no data; the deadline judges it. */
async function pulse(session: RolloutSession, plan: RolloutPlan): Promise<Verdict | undefined> {
  try {
    const verdict = await restarts(session, plan);
    if (verdict.outcome === "fail") return verdict;
    const before = session.journal.table;
    await session.happened({ type: "observe" });
    if (session.journal.table !== before && session.machine.state.name !== "rollback") await session.enforce();
    return undefined;
  } catch (error) {
    if (session.signal.aborted) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    return { gate: "readiness", outcome: "no-data", detail, figures: {} };
  }
}

async function ask(
  session: RolloutSession,
  prometheus: Prometheus,
  plan: RolloutPlan,
  since: number,
  facts: StepFacts,
): Promise<readonly Verdict[]> {
  try {
    return await askGates(prometheus, session.context.gates, plan.candidate, since, facts);
  } catch (error) {
    if (!(error instanceof PrometheusError)) throw error;
    return [{ gate: "data", outcome: "no-data", detail: error.message, figures: {} }];
  }
}

/** The candidate's requests on this step, as far as the gates know them. */
function requestsOf(verdicts: readonly Verdict[]): number {
  const counts = verdicts.flatMap((verdict) => verdict.figures.requests ?? []);
  return counts.length === 0 ? 0 : Math.min(...counts);
}

/**
 * Probes per second: enough for the minimum of samples within most of the hold, since what is sent last is scraped late.
 * They stop as soon as the gates have that many, from users or from probes.
 */
function probeRate(gates: GateSettings, holdSeconds: number): number {
  return Math.min(gates.probesPerSecond, Math.ceil(gates.minimumSamples / Math.max(holdSeconds * 0.6, 1)));
}

function failed(verdicts: readonly Verdict[]): Work {
  const bad = verdicts.filter((verdict) => verdict.outcome === "fail");
  return { outcome: "fail", detail: bad.map((verdict) => `${verdict.gate}: ${verdict.detail}`).join("; "), verdicts };
}

function summary(verdicts: readonly Verdict[]): string {
  return verdicts.map((verdict) => `${verdict.gate} ${verdict.outcome} (${verdict.detail})`).join(", ");
}
