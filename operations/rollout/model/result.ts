import { UserError } from "../../../contract/errors.ts";
import type { Failure } from "../../../contract/failure.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { Slot, Weights } from "../../../contract/slots.ts";
import { type Machine, type StateName } from "./machine.ts";
import type { Journal } from "./journal.ts";
import type { RolloutPlan } from "./plan.ts";
import { stateLabel } from "./labels.ts";

/** What every end of a rollout says of it. */
interface Rollout {
  /** Identifier of the rollout. */
  readonly rollout: string;
  readonly stable: Slot;
  readonly candidate: Slot;
  /** Image of the candidate. */
  readonly image: string;
  /** The slot that has all users now. */
  readonly active: Slot;
  readonly weights: Weights;
  /** Since the start of the rollout. */
  readonly seconds: number;
}

/** How a rollout ended. */
export type RolloutResult = CompletedResult | FinishedResult | RolledBackResult | KeptResult;

/** The candidate has all users. The stable slot stays warm: a rollback only changes weights. */
export interface CompletedResult extends Rollout {
  readonly outcome: "completed";
  /** End of the standby, ISO 8601. */
  readonly standbyUntil?: string;
}

/** The standby is over: the candidate has all users, and a rollback would deploy the old release again. */
export interface FinishedResult extends Rollout {
  readonly outcome: "finished";
  /** Whether the old slot is stopped. False: it could not be stopped. */
  readonly stopped: boolean;
  readonly emptied: readonly Slot[];
}

/** Why and in which state the rollout went back. */
interface Reversal extends Rollout {
  /** A failure caused it, not a person. */
  readonly automatic: boolean;
  /** Reason that a person gave; empty if none. */
  readonly reason: string;
  /** What failed, if a failure caused it. */
  readonly failure?: Failure;
  /** The state in which the rollback began. */
  readonly from: StateName;
  /** Slots whose MCP sessions are sent away. */
  readonly evicted: readonly Slot[];
}

/** The stable slot has all users again. */
export interface RolledBackResult extends Reversal {
  readonly outcome: "rolled-back";
  /** Whether the operation was to roll back, or to continue a rollback that a person started. */
  readonly requested: boolean;
  /** How long connections to the candidate may stay open if its sessions are kept. */
  readonly drainSeconds: number;
}

/** The rollback failed: the stable slot could not be brought back, so the candidate keeps the users. */
export interface KeptResult extends Reversal {
  readonly outcome: "kept";
}

/** Ctrl-C ended the verb; the rollout can be resumed or aborted. */
export interface InterruptedResult {
  readonly outcome: "interrupted";
  /** Label of the state in which it was stopped; absent if the rollout was at rest. */
  readonly state?: string;
  readonly weights: Weights;
  /** The slot whose server was being replaced or stopped; absent if none was. */
  readonly slot?: InterruptedSlot;
}

/** A slot after the interruption of the work on it. */
export interface InterruptedSlot {
  readonly slot: Slot;
  /** The image that it was to get; absent if its server was being stopped. */
  readonly wanted?: string;
  /** Absent: it is not known. */
  readonly present?: { readonly image?: string; readonly running: boolean };
  /** Whether the work had not ended when the operation did: it may still change the slot. */
  readonly continues: boolean;
}

/**
 * The result of a rollout that is at rest.
 *
 * @param requested see {@link RolledBackResult}
 * @throws UserError if another rollout has begun since
 */
export function rolloutResult(
  { machine, journal }: { readonly machine: Machine; readonly journal: Journal },
  plan: RolloutPlan,
  { requested = false }: { readonly requested?: boolean } = {},
): RolloutResult {
  const { ending } = machine;
  const common: Rollout = {
    ...{ rollout: plan.id, stable: plan.stable, candidate: plan.candidate, image: plan.image },
    ...{ active: machine.active, weights: journal.table.weights, seconds: secondsSince(plan) },
  };
  if (machine.state.name === "standby") {
    const until = standbyUntil(journal.since, plan);
    return {
      ...{ ...common, active: plan.candidate, outcome: "completed" },
      ...(until === undefined ? {} : { standbyUntil: until }),
    };
  }
  if (ending === undefined)
    throw new UserError(
      ...([
        "state-conflict",
        `rollout (${stateLabel(machine)})`,
        `${plan.id} has ended, and another rollout has begun`,
      ] as const),
      fix`${command(`rollout history ${plan.id}`)}`,
    );
  const { outcome, automatic, reason, failure, from } = ending;
  const { emptied, evicted } = machine;
  if (outcome === "completed")
    return { ...common, outcome: "finished", stopped: emptied.includes(plan.stable), emptied };
  const cause = failure === undefined ? { reason } : { reason, failure };
  const reversal = { ...common, automatic, ...cause, from, evicted };
  return outcome === "kept"
    ? { ...reversal, outcome }
    : { ...reversal, outcome, requested, drainSeconds: plan.drainSeconds };
}

/** When a standby ends, ISO 8601; undefined before it began. */
export function standbyUntil(beganAt: string | undefined, plan: RolloutPlan): string | undefined {
  return beganAt === undefined ? undefined : new Date(Date.parse(beganAt) + plan.standbySeconds * 1000).toISOString();
}

/** Whether the time of a standby has passed. The slot stays warm until a person or a cutover ends the standby. */
export function isOver(until: string | undefined): boolean {
  return until !== undefined && Date.now() >= Date.parse(until);
}

function secondsSince(plan: RolloutPlan): number {
  return Math.round((Date.now() - Date.parse(plan.startedAt)) / 100) / 10;
}
