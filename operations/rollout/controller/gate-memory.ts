import type { Observation } from "../gates/observation.ts";

/** What the gates keep from one step of a rollout to the next. */
export interface GateMemory {
  /**
   * Whether the stable slot has refused probes. Router and servers do not distinguish probes from users, so the requests of
   * both slots are not alike for the rest of the rollout.
   */
  probesRefused: boolean;
  /** Read once, so that a change of the wall clock during the rollout does not move it. */
  baseline: Baseline | undefined;
}

/** The rollout before and at its first shift. */
export interface Baseline {
  /** When both slots first had users, on the monotonic clock of `step-gates.ts`. */
  readonly firstShiftAt: number;
  readonly before: Observation["before"];
}
