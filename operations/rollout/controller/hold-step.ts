import { isRefusal } from "../../../contract/errors.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { together } from "../model/verdict.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { restarts } from "./restarts.ts";
import type { RolloutSession } from "./store.ts";
import { StepGates } from "./step-gates.ts";
import type { Work, Working } from "./step-result.ts";
import { stateLabel } from "../model/labels.ts";

/** Milliseconds between two checks of the container and the slots' readiness, which cost little. */
const PULSE_MS = 500;

/**
 * Holds a step for at least its time, until every gate passes and it is not paused. A gate that fails ends it at once, and
 * so do gates that do not pass in time. Time alone never passes a step.
 *
 * @param passes false if only a person passes the step.
 */
export async function* watchStep(
  session: RolloutSession,
  plan: RolloutPlan,
  holdSeconds: number,
  passes = true,
): Working {
  const { checkSeconds } = session.context.gates;
  const gates = new StepGates(session, plan, holdSeconds);
  const judge = () => gates.check();
  session.judge = judge;
  const started = performance.now();
  const { state } = session.machine;
  const id = state.name === "shift" ? `shift-${String(plan.steps[state.step])}` : state.name;
  let verdicts: readonly Verdict[] = [];
  let nextCheck = checkSeconds;
  try {
    for (;;) {
      await session.sleep(PULSE_MS);
      const elapsed = (performance.now() - started) / 1000;

      const unknown = await pulse(session, plan);
      if (unknown?.verdict === "fail") return failed([unknown]);
      if (session.machine.state !== state) return { outcome: "done", detail: "" };
      if (elapsed < nextCheck) continue;
      nextCheck = elapsed + checkSeconds;

      verdicts = [...(await gates.check()), ...(unknown === undefined ? [] : [unknown])];
      yield {
        type: "step",
        id,
        title: stateLabel(session.machine),
        status: "progress",
        verdicts,
        seconds: Math.round(elapsed),
      };
      const outcome = together(verdicts);
      if (outcome === "fail") return failed(verdicts);
      if (outcome === "pass" && elapsed >= holdSeconds && passes && session.machine.pause === undefined) {
        return { outcome: "done", detail: gates.probes > 0 ? `${String(gates.probes)} probes` : "", verdicts };
      }
      if (gates.expired) {
        const open = verdicts.filter(({ verdict }) => verdict !== "pass");
        const failure = { code: "gates-timeout", seconds: gates.deadlineSeconds, verdicts: open } as const;
        return { outcome: "fail", failure, verdicts };
      }
    }
  } finally {
    // A step that was left ends while its successor is at work already, which has its own.
    if (session.judge === judge) session.judge = undefined;
    await gates.stop();
  }
}

/** Checks container and readiness. A deployer or a router that does not answer is "no data", and the deadline applies. */
async function pulse(session: RolloutSession, plan: RolloutPlan): Promise<Verdict | undefined> {
  try {
    const verdict = await restarts(session, plan);
    if (verdict.verdict === "fail") return verdict;
    await session.happened({ type: "observe" });
    // Undoes changes of the table from outside. A rollback enforces its own table.
    if (session.machine.state.name !== "rollback") await session.enforce();
    return undefined;
  } catch (error) {
    // A lost lease is not missing data.
    if (session.signal.aborted || isRefusal(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return { gate: "readiness", verdict: "no-data", why: "status-unavailable", test: "none", context: { message } };
  }
}

function failed(verdicts: readonly Verdict[]): Work {
  const bad = verdicts.filter(({ verdict }) => verdict === "fail");
  return { outcome: "fail", failure: { code: "gate-failed", verdicts: bad }, verdicts };
}
