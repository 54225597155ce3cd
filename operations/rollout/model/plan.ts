import type { PlannedHook } from "../../../contract/hooks.ts";
import type { Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { SchemaRange } from "../../schema/range.ts";

/** Schema ranges of both releases, kept in the plan so that a rollback needs no registry. */
export type PlannedRanges = Readonly<Partial<Record<Slot, SchemaRange>>>;

/** One rollout. Fixed before its first transition. */
export interface RolloutPlan {
  /** Start time and a random part, so identifiers are unique and sort by time. */
  readonly id: string;
  /** The slot that has the users when the rollout starts, and after a rollback. */
  readonly stable: Slot;
  /** The slot that gets the new image. */
  readonly candidate: Slot;
  readonly image: string;
  /** Image of the stable slot, for a new deployment of it. Absent if it is unknown. */
  readonly stableImage?: string;
  /** Weights of the candidate in percent, ascending; the last is 100. */
  readonly steps: readonly number[];
  /** Minimum time on each step except the last. */
  readonly holdSeconds: number;
  /** Minimum time at 100 % under gates before the rollout is complete. */
  readonly bakeSeconds: number;
  /** How long the old slot stays warm after completion. */
  readonly standbySeconds: number;
  /** The range of migrations that each release declares to work with. */
  readonly schema?: PlannedRanges;
  /** How long a slot's connections may stay open after it lost its users. */
  readonly drainSeconds: number;
  /** Whether a person must approve before the candidate gets all users. */
  readonly approval: boolean;
  /** The hooks of the stack's settings when the rollout started; absent if there were none. */
  readonly hooks?: readonly PlannedHook[];
  /** The candidate no longer accepts an old token key: it intentionally refuses WebSockets that the stable slot accepts. */
  readonly retiresKey?: true;
  readonly reason: string;
  /** user@host that started it. */
  readonly by: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** Defaults from a stack's settings. The options of a cutover override them. */
export type PlanDefaults = Partial<Pick<RolloutPlan, "standbySeconds" | "drainSeconds" | "approval">>;

/** Reads the defaults from a stack's settings. */
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

/** The parameters of a rollout, without its images. */
export type PlanTimes = Pick<
  RolloutPlan,
  "steps" | "holdSeconds" | "bakeSeconds" | "standbySeconds" | "drainSeconds" | "approval"
>;

/** The parameters of a rollout: the request first, then the stack's settings, then the built-in defaults. */
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
 * @throws UserError unless the steps are ascending whole percentages ending in 100
 */
export function parseSteps(text: string): readonly number[] {
  const steps = text.split(",").map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : NaN));
  const rising = steps.every((step, index) => step > (steps[index - 1] ?? 0) && step <= 100);
  if (!rising || steps.at(-1) !== 100) {
    throw new UserError(
      "invalid-argument",
      "--steps",
      `"${text}": must be ascending percentages ending in 100`,
      fix`${command("cutover --image IMAGE --steps 5,25,50,100")}`,
    );
  }
  return steps;
}

/**
 * Parses `500ms`, `10s`, `2m`, `1h` or a number of seconds.
 *
 * @throws UserError that names the option
 */
export function parseSeconds(text: string, option: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*$/.exec(text);
  if (match === null)
    throw new UserError("invalid-argument", option, `"${text}" is not a duration`, `${option} 10s (ms, s, m or h)`);
  const factors: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  return Number(match[1]) * (factors[match[2] ?? "s"] ?? 1);
}
