import type { Observation } from "../gates/observation.ts";

/** What the gates keep from one step of a rollout to the next. */
export interface GateMemory {
  /** Read once, so that a change of the wall clock during the rollout does not move it. */
  baseline: Baseline | undefined;
}

/** The rollout before and at its first shift. */
export interface Baseline {
  /** When both slots first had users, on the monotonic clock of `step-gates.ts`. */
  readonly firstShiftAt: number;
  readonly before: Observation["before"];
}
