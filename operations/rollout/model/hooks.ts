import type { HookMoment, HookRun, PlannedHook } from "../../../contract/hooks.ts";
import type { Machine, Outcome, RolloutState } from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";

/** The state in which hooks run. */
export type HooksState = Extract<RolloutState, { name: "hooks" }>;

/** A hook that must run, with the step that it belongs to. */
export interface DueHook extends PlannedHook {
  readonly step: string;
}

/** The step after a state's; `full`: the last one. */
export function nextStep({ step, full }: Pick<HooksState, "step" | "full">, { steps }: RolloutPlan): number {
  return full ? steps.length - 1 : step + 1;
}

/** The hooks of a state, in the order in which they run. */
export function dueHooks(plan: RolloutPlan, state: HooksState): readonly DueHook[] {
  const shift = (step: number): string => `shift-${String(plan.steps[step])}`;
  const at = (when: HookMoment, step: string): readonly DueHook[] => hooksAt(plan, when, step);
  switch (state.phase) {
    case "before": {
      const step = shift(nextStep(state, plan));
      return [...(state.step < 0 ? at("before-users", step) : []), ...at("before-step", step)];
    }
    case "after":
      return at("after-step", shift(state.step));
    case "complete":
      return [...at("after-step", shift(state.step)), ...at("before-completion", "bake")];
  }
}

/** The hooks of the end of a rollout: once for each outcome, since a rollback that failed may be repeated. */
export function endHooks(plan: RolloutPlan, outcome: Outcome): readonly DueHook[] {
  return hooksAt(plan, outcome === "completed" ? "after-completion" : "after-rollback", outcome);
}

function hooksAt({ hooks = [] }: RolloutPlan, when: HookMoment, step: string): readonly DueHook[] {
  return hooks.filter((hook) => hook.when === when).map((hook) => ({ ...hook, step }));
}

/** The last run of a hook; undefined if it has not run. */
export function runOf({ hooks = [] }: Pick<Machine, "hooks">, { name, step }: DueHook): HookRun | undefined {
  return hooks.find((run) => run.hook === name && run.step === step);
}

/** Whether a run stops the rollout. */
export function stops({ onFailure }: PlannedHook, run: HookRun | undefined): boolean {
  return run?.end?.outcome === "failed" && onFailure === "rollback";
}

/** Whether all hooks have run, and none stops the rollout. */
export function haveRun(machine: Pick<Machine, "hooks">, due: readonly DueHook[]): boolean {
  return due.every((hook) => {
    const run = runOf(machine, hook);
    return run?.end !== undefined && !stops(hook, run);
  });
}
