import { isRefusal } from "../../../contract/errors.ts";
import { together, type Verdict } from "../gates/settings.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { restarts } from "./restarts.ts";
import type { RolloutSession } from "./store.ts";
import { StepGates } from "./step-gates.ts";
import type { Work, Working } from "./step-result.ts";
import { stateLabel } from "../model/labels.ts";

/** Milliseconds between two looks at the container and the slots' readiness, which cost little. */
const PULSE_MS = 500;

/**
 * Stays on a step: at least as long as it holds, until every gate has passed and nobody pauses it; a gate that fails ends
 * it at once, and gates that have had no answer for too long end it as well. Time alone never passes a step.
 *
 * @param passes false where only a person passes the step.
 */
export async function* watchStep(
  session: RolloutSession,
  plan: RolloutPlan,
  holdSeconds: number,
  passes = true,
): Working {
  const { lookSeconds } = session.context.gates;
  const gates = new StepGates(session, plan, holdSeconds);
  const judge = () => gates.look();
  session.judge = judge;
  const started = performance.now();
  const { state } = session.machine;
  const id = state.name === "shift" ? `shift-${String(plan.steps[state.step])}` : state.name;
  let verdicts: readonly Verdict[] = [];
  let nextLook = lookSeconds;
  try {
    for (;;) {
      await session.sleep(PULSE_MS);
      const elapsed = (performance.now() - started) / 1000;

      const blind = await pulse(session, plan);
      if (blind?.outcome === "fail") return failed([blind]);
      if (session.machine.state !== state) return { outcome: "done", detail: "left by a look" };
      if (elapsed < nextLook) continue;
      nextLook = elapsed + lookSeconds;

      verdicts = [...(await gates.look()), ...(blind === undefined ? [] : [blind])];
      const title = stateLabel(session.machine);
      const detail = `${elapsed.toFixed(0)} s: ${summary(verdicts)}`;
      yield { type: "step", id, title, status: "progress", detail };
      const outcome = together(verdicts);
      if (outcome === "fail") return failed(verdicts);
      if (outcome === "pass" && elapsed >= holdSeconds && passes && session.machine.pause === undefined) {
        const probes = gates.probes > 0 ? `; ${String(gates.probes)} probes` : "";
        return { outcome: "done", detail: `${summary(verdicts)}${probes}`, verdicts };
      }
      if (gates.expired) {
        const open = verdicts.filter((verdict) => verdict.outcome !== "pass").map((verdict) => verdict.detail);
        return {
          outcome: "fail",
          detail: `the gates have not passed within ${String(gates.deadlineSeconds)} s: ${open.join("; ")}`,
          verdicts,
        };
      }
    }
  } finally {
    // A step that was left ends while its successor is at work already, which has its own.
    if (session.judge === judge) session.judge = undefined;
    await gates.stop();
  }
}

/** Container and readiness. A deployer or a router that does not answer is no data; the deadline judges it. */
async function pulse(session: RolloutSession, plan: RolloutPlan): Promise<Verdict | undefined> {
  try {
    const verdict = await restarts(session, plan);
    if (verdict.outcome === "fail") return verdict;
    await session.happened({ type: "observe" });
    // Also what somebody else changed is put back. A rollback enforces its own table, after a word to the reader.
    if (session.machine.state.name !== "rollback") await session.enforce();
    return undefined;
  } catch (error) {
    // A lost lease is no silence of the router's.
    if (session.signal.aborted || isRefusal(error)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    return { gate: "readiness", outcome: "no-data", detail, figures: {} };
  }
}

function failed(verdicts: readonly Verdict[]): Work {
  const bad = verdicts.filter((verdict) => verdict.outcome === "fail");
  return { outcome: "fail", detail: bad.map((verdict) => `${verdict.gate}: ${verdict.detail}`).join("; "), verdicts };
}

function summary(verdicts: readonly Verdict[]): string {
  return verdicts.map((verdict) => `${verdict.gate} ${verdict.outcome} (${verdict.detail})`).join(", ");
}
