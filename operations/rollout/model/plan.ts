import type { Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import type { SchemaRange } from "../../schema/range.ts";

/** Ranges of the releases that a rollout concerns, kept in its plan: a rollback must not have to ask a registry. */
export type PlannedRanges = Readonly<Partial<Record<Slot, SchemaRange>>>;

/** One rollout, decided before its first transition and never changed afterwards. */
export interface RolloutPlan {
  /** Sortable and unique: start time and a random part. */
  readonly id: string;
  /** The slot that has the users when the rollout starts, and after a rollback. */
  readonly stable: Slot;
  /** The slot that gets the new image. */
  readonly candidate: Slot;
  readonly image: string;
  /** What the stable slot runs: needed to bring it up again. Absent when its slot could not say. */
  readonly stableImage?: string;
  /** Candidate's weights in percent, rising; the last is 100. */
  readonly steps: readonly number[];
  /** Least time on each step below the last. */
  readonly holdSeconds: number;
  /** Least time at 100 % under gates, after which the rollout counts as done. */
  readonly bakeSeconds: number;
  /** How long the old slot stays warm afterwards. */
  readonly standbySeconds: number;
  /** The migrations between which the release of each slot works, where it says so. */
  readonly schema?: PlannedRanges;
  /** How long a slot's connections may go on after it lost its users, before they are closed. */
  readonly drainSeconds: number;
  /** Whether a person has to agree before the candidate gets all users. */
  readonly approval: boolean;
  /** The candidate has lost a key for tokens: that it refuses WebSockets which the stable slot takes is what is wanted. */
  readonly retiresKey?: true;
  readonly reason: string;
  /** user@host of who started it. */
  readonly by: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** What a stack's settings say of every rollout; what is asked for with a cutover goes before it. */
export type PlanDefaults = Partial<Pick<RolloutPlan, "standbySeconds" | "drainSeconds" | "approval">>;

/** The plan's defaults from a stack's settings. */
export function planDefaults(settings: {
  readonly standbyMinutes: number;
  readonly drainSeconds: number;
  readonly rolloutApproval: boolean;
}): PlanDefaults {
  const { standbyMinutes, drainSeconds, rolloutApproval: approval } = settings;
  return { standbySeconds: standbyMinutes * 60, drainSeconds, approval };
}

export const DEFAULT_STEPS: readonly number[] = [5, 25, 50, 100];
export const DEFAULT_HOLD_SECONDS = 10;
export const DEFAULT_BAKE_SECONDS = 10;
export const DEFAULT_STANDBY_SECONDS = 3600;
export const DEFAULT_DRAIN_SECONDS = 300;

/** What is decided of a rollout beside its image. */
export type PlanTimes = Pick<
  RolloutPlan,
  "steps" | "holdSeconds" | "bakeSeconds" | "standbySeconds" | "drainSeconds" | "approval"
>;

/** What was asked for, before what the stack's settings say, before the defaults. */
export function timesOf(request: Partial<PlanTimes>, defaults: PlanDefaults): PlanTimes {
  return {
    steps: request.steps ?? DEFAULT_STEPS,
    holdSeconds: request.holdSeconds ?? DEFAULT_HOLD_SECONDS,
    bakeSeconds: request.bakeSeconds ?? DEFAULT_BAKE_SECONDS,
    standbySeconds: request.standbySeconds ?? defaults.standbySeconds ?? DEFAULT_STANDBY_SECONDS,
    drainSeconds: request.drainSeconds ?? defaults.drainSeconds ?? DEFAULT_DRAIN_SECONDS,
    approval: request.approval ?? defaults.approval ?? false,
  };
}

/**
 * Parses `5,25,50,100`.
 *
 * @throws UserError unless the steps are whole percentages that rise and end with 100.
 */
export function parseSteps(text: string): readonly number[] {
  const steps = text.split(",").map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : NaN));
  const rising = steps.every((step, index) => step > (steps[index - 1] ?? 0) && step <= 100);
  if (!rising || steps.at(-1) !== 100) {
    throw new UserError(
      "invalid-argument",
      "--steps",
      `"${text}" is no list of rising percentages that ends with 100`,
      "./exai cutover --image IMAGE --steps 5,25,50,100",
    );
  }
  return steps;
}

/**
 * Parses `500ms`, `10s`, `2m`, `1h` or a number of seconds.
 *
 * @throws UserError that names the option.
 */
export function parseSeconds(text: string, option: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*$/.exec(text);
  if (match === null)
    throw new UserError("failed", option, `"${text}" is no duration`, `${option} 10s (ms, s, m or h)`);
  const factors: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  return Number(match[1]) * (factors[match[2] ?? "s"] ?? 1);
}
