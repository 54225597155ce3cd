import type { Operation } from "../../../contract/events.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { dueHooks, type HooksState } from "../model/hooks.ts";
import { stateLabel, stepId } from "../model/labels.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { together } from "../model/verdict.ts";
import { checkStatus, gatesFailed, STATUS_MS } from "./hold-step.ts";
import { hookEvents, HookRuns } from "./hooks.ts";
import type { StateRun } from "./state-run.ts";
import { StepGates } from "./step-gates.ts";
import type { StepResult } from "./step-result.ts";

/**
 * Runs the hooks of a state, while the gates go on: the candidate keeps its users. A gate that fails ends hooks and state at
 * once. The gates passed just before, so they need not pass again, unless this process has not seen that.
 */
export async function* holdHooks(run: StateRun, state: HooksState, plan: RolloutPlan): Operation<StepResult> {
  const due = dueHooks(plan, state);
  const hooks = new HookRuns(run, plan, due);
  // Without users there is nothing to judge.
  const gates = state.step < 0 ? undefined : new StepGates(run, plan, 0);
  const unseen = gates !== undefined && run.resumed;
  const step = { type: "step", id: stepId(state, plan), title: stateLabel(run.machine) } as const;
  const { checkSeconds } = run.context.gates;
  const started = performance.now();
  let nextCheck = checkSeconds;
  let verdicts: readonly Verdict[] = [];
  try {
    for (;;) {
      const pause = run.sleep(STATUS_MS);
      await (hooks.isOver ? pause : Promise.race([hooks.over, pause]));
      yield* hookEvents(run, plan, hooks.news());
      if (hooks.error !== undefined) throw hooks.error;
      if (hooks.stopped !== undefined)
        return { outcome: "fail", failure: { code: "hook-failed", run: hooks.stopped }, verdicts };

      const unknown = await checkStatus(run, plan);
      if (unknown?.verdict === "fail") return gatesFailed([unknown]);
      if (run.machine.state !== state) return { outcome: "done", detail: "" };
      const elapsed = (performance.now() - started) / 1000;
      if (gates !== undefined && elapsed >= nextCheck) {
        nextCheck = elapsed + checkSeconds;
        verdicts = [...(await gates.check()), ...(unknown === undefined ? [] : [unknown])];
        yield { ...step, status: "progress", verdicts };
        if (together(verdicts) === "fail") return gatesFailed(verdicts);
        if (gates.expired) {
          const open = verdicts.filter(({ verdict }) => verdict !== "pass");
          return {
            outcome: "fail",
            failure: { code: "gates-timeout", seconds: gates.deadlineSeconds, verdicts: open },
            verdicts,
          };
        }
        await run.context.journal.publish({ sequence: run.journal.sequence, verdicts }).catch(() => undefined);
      }
      const judged = !unseen || together(verdicts) === "pass";
      if (hooks.isOver && judged && run.machine.pause === undefined)
        return { outcome: "done", detail: due.map(({ name }) => name).join(", "), verdicts };
    }
  } finally {
    hooks.stop();
    await gates?.stop();
  }
}
