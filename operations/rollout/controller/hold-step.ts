import { isRefusal } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { together } from "../model/verdict.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { restarts } from "./restarts.ts";
import type { StateRun } from "./state-run.ts";
import { StepGates } from "./step-gates.ts";
import type { StepResult } from "./step-result.ts";
import { stateLabel, stepId } from "../model/labels.ts";

/** Milliseconds between two checks of the container and the slots' readiness, which cost little. */
export const STATUS_MS = 500;

/**
 * Holds a step for at least its time, until every gate passes and it is not paused. A gate that fails ends it at once, and
 * so do gates that do not pass in time. Time alone never passes a step.
 *
 * @param passes false if only a person passes the step.
 */
export async function* holdStep(
  run: StateRun,
  plan: RolloutPlan,
  holdSeconds: number,
  passes = true,
): Operation<StepResult> {
  const { checkSeconds } = run.context.gates;
  const gates = new StepGates(run, plan, holdSeconds);
  run.judge = () => gates.check();
  const started = performance.now();
  const { state } = run.machine;
  const id = stepId(state, plan);
  let verdicts: readonly Verdict[] = [];
  let nextCheck = checkSeconds;
  try {
    for (;;) {
      await run.sleep(STATUS_MS);
      const elapsed = (performance.now() - started) / 1000;

      const unknown = await checkStatus(run, plan);
      if (unknown?.verdict === "fail") return gatesFailed([unknown]);
      if (run.machine.state !== state) return { outcome: "done", detail: "" };
      if (elapsed < nextCheck) continue;
      nextCheck = elapsed + checkSeconds;

      verdicts = [...(await gates.check()), ...(unknown === undefined ? [] : [unknown])];
      yield { type: "step", id, title: stateLabel(run.machine), status: "progress", verdicts };
      const outcome = together(verdicts);
      if (outcome === "fail") return gatesFailed(verdicts);
      if (outcome === "pass" && elapsed >= holdSeconds && passes && run.machine.pause === undefined) {
        return { outcome: "done", detail: gates.probes > 0 ? `${String(gates.probes)} probes` : "", verdicts };
      }
      if (gates.expired) {
        const open = verdicts.filter(({ verdict }) => verdict !== "pass");
        const failure = { code: "gates-timeout", seconds: gates.deadlineSeconds, verdicts: open } as const;
        return { outcome: "fail", failure, verdicts };
      }
      // For observers of a step that goes on. It comes after the decision, which must not wait for a slow API server.
      await run.context.journal.publish({ sequence: run.journal.sequence, verdicts }).catch(() => undefined);
    }
  } finally {
    await gates.stop();
  }
}

/** Checks container and readiness. A deployer or a router that does not answer is "no data", and the deadline applies. */
export async function checkStatus(run: StateRun, plan: RolloutPlan): Promise<Verdict | undefined> {
  try {
    const verdict = await restarts(run, plan);
    if (verdict.verdict === "fail") return verdict;
    await run.dispatch({ type: "observe" });
    // Undoes changes of the table from outside. A rollback puts its own table in force.
    if (run.machine.state.name !== "rollback") await run.reconcile();
    return undefined;
  } catch (error) {
    // A lost lease is not missing data.
    if (run.signal.aborted || isRefusal(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return { gate: "readiness", verdict: "no-data", why: "status-unavailable", test: "none", context: { message } };
  }
}

/** The result of a step with the gates that failed. */
export function gatesFailed(verdicts: readonly Verdict[]): StepResult {
  const bad = verdicts.filter(({ verdict }) => verdict === "fail");
  return { outcome: "fail", failure: { code: "gate-failed", verdicts: bad }, verdicts };
}
