import type { HookEnd, HookMoment, PlannedHook } from "../../../contract/hooks.ts";
import type { Outcome } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";

/** A run of a hook, for the hook. */
export interface HookCall {
  readonly hook: string;
  readonly when: HookMoment;
  readonly step: string;
  readonly attempt: number;
  readonly rollout: RolloutPlan;
  /** The candidate's weight, percent. */
  readonly weight: number;
  /** How the rollout ended, for the hooks of its end. */
  readonly outcome?: Outcome;
}

/** Runs the hooks of a stack. */
export interface HookRunner {
  /** The hooks that the stack declares, in their order. */
  readonly hooks: readonly PlannedHook[];
  /**
   * Runs a hook to its end. A failure is a result.
   *
   * @throws the signal's reason, when the hook is being ended
   */
  run(call: HookCall, signal: AbortSignal): Promise<HookEnd>;
}
