import type { Failure } from "../../../contract/failure.ts";
import { allOn, type Slot, type Weights } from "../../../contract/slots.ts";
import type { HookRun } from "../../../contract/hooks.ts";
import type { RolloutPlan } from "./plan.ts";

/** States before the candidate has users, in their order. */
type BeforeTraffic = "prepare" | "drain" | "deploy" | "ready" | "smoke" | "migrate";

/**
 * - `prepare`: the stable slot has all users; the plan is fixed.
 * - `drain`: the candidate's slot still runs an earlier release; its connections may end.
 * - `deploy`: the remaining connections are closed, and the image is deployed. - `ready`: waits until the router reports it
 *   ready. - `smoke`: tests the candidate through the router. - `migrate`: expands the schema.
 * - `shift`: the candidate has `plan.steps[step]` percent, under gates. - `approve`: it keeps the weight of that step (-1: 0 %),
 *   under gates, until a person approves. - `bake`: it has 100 %, under gates.
 * - `hooks`: it keeps the weight of that step (-1: 0 %), under gates, until the hooks have run: `before` the next step (`full`: the
 *   last one), `after` the step, or before the rollout is `complete`.
 * - `standby`: complete; the old slot stays warm, so a rollback only changes weights.
 * - `retire`: the standby ends: `wait` for the old slot's connections, then `stop` it.
 * - `rollback`: `revive` starts the stable slot again if it is down; `flip` gives it the users; `drain` closes the candidate's
 *   connections, so that its clients reconnect.
 */
export type RolloutState =
  | { readonly name: "idle" | BeforeTraffic | "bake" | "standby" }
  | { readonly name: "shift" | "approve"; readonly step: number }
  | {
      readonly name: "hooks";
      readonly phase: "before" | "after" | "complete";
      readonly step: number;
      readonly full: boolean;
    }
  | { readonly name: "retire"; readonly phase: "wait" | "stop"; readonly drainSeconds: number }
  | {
      readonly name: "rollback";
      readonly phase: "revive" | "flip" | "drain";
      /** The state in which the rollback began. */
      readonly from: StateName;
      /** Reason that a person gave; empty if none. */
      readonly reason: string;
      /** Why it rolls back automatically; absent if a person asked for it. */
      readonly failure?: Failure;
      readonly automatic: boolean;
      /**
       * Answer the candidate's MCP sessions with 404 and close its connections, so that their clients move to the stable
       * slot.
       */
      readonly evict: boolean;
    };

export type StateName = RolloutState["name"];

/** How a rollout ended. `kept`: the stable slot could not be started again, so the candidate keeps the users. */
export type Outcome = "completed" | "rolled-back" | "kept";

export interface Ending {
  readonly outcome: Outcome;
  /** Reason that a person gave for a rollback; empty if none. */
  readonly reason: string;
  /** Why it was rolled back automatically; absent otherwise. */
  readonly failure?: Failure;
  readonly automatic: boolean;
  /** The state in which it was rolled back. */
  readonly from: StateName;
}

/** A pause requested by a person. */
export interface Pause {
  /** user@host */
  readonly by: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
}

/** The machine at rest or in a rollout. */
export interface Machine {
  readonly state: RolloutState;
  /** The slot that has the users at rest. */
  readonly active: Slot;
  /** The running rollout; absent when idle. */
  readonly plan?: RolloutPlan;
  /** Present while the rollout is paused: it keeps its weights, under its gates. */
  readonly pause?: Pause;
  /** The last rollout whose candidate got all users: what a rollback reverts if no slot is warm. */
  readonly previous?: RolloutPlan;
  /** How the last rollout ended. */
  readonly ending?: Ending;
  /** The runs of hooks of the present or last rollout; absent if there were none. */
  readonly hooks?: readonly HookRun[];
  /** The rollout whose end is not reported to all of its hooks yet. */
  readonly unreported?: { readonly plan: RolloutPlan; readonly outcome: Outcome };
  /** Slots whose MCP sessions are answered with 404, until the next deployment. */
  readonly evicted: readonly Slot[];
  /** Slots that were emptied intentionally, until the next deployment begins. Each of them is evicted. */
  readonly emptied: readonly Slot[];
}

/** Which slots the data plane reports ready. Part of every event, so that a transition uses a current value. */
export type Readiness = Readonly<Record<Slot, boolean>>;

export type RolloutEvent =
  | { readonly type: "start"; readonly plan: RolloutPlan; readonly ready: Readiness }
  /** The present state is done. */
  | { readonly type: "done"; readonly ready: Readiness }
  /** The readiness was read. */
  | { readonly type: "observe"; readonly ready: Readiness }
  /** The present state failed, or a gate. */
  | { readonly type: "fail"; readonly failure: Failure; readonly ready: Readiness }
  /** A person rolls back. */
  | { readonly type: "rollback"; readonly reason: string; readonly evict: boolean; readonly ready: Readiness }
  /** A person pauses the rollout, or ends the pause. */
  | { readonly type: "pause"; readonly pause: Pause; readonly ready: Readiness }
  | { readonly type: "continue"; readonly ready: Readiness }
  /** A person moves to the next step, or to 100 %, without waiting for the rest of this step. */
  | { readonly type: "promote"; readonly full: boolean; readonly ready: Readiness }
  /** A hook has begun to run, or its run has ended. */
  | { readonly type: "hook"; readonly run: HookRun; readonly ready: Readiness }
  /** A new rollout needs the slot of the standby. */
  | { readonly type: "finish"; readonly ready: Readiness }
  /** A person ends the standby: the old slot is emptied. `drainSeconds`: like the plan's. */
  | { readonly type: "retire"; readonly drainSeconds: number; readonly ready: Readiness };

/** The machine before the first rollout. */
export function restingMachine(active: Slot): Machine {
  return { state: { name: "idle" }, active, evicted: [], emptied: [] };
}

/** Whether no controller needs to run. */
export function atRest(machine: Machine): boolean {
  return machine.state.name === "idle" || machine.state.name === "standby";
}

/** Whether a person can pause the rollout. */
export function underWay(machine: Machine): boolean {
  return machine.plan !== undefined && !atRest(machine) && !["retire", "rollback"].includes(machine.state.name);
}

/** Whether gates judge the candidate in this state. */
export function hasGates(state: RolloutState): boolean {
  return ["shift", "approve", "hooks", "bake"].includes(state.name);
}

/**
 * Whether the end of a standby has begun to stop the stable slot. The router may report it ready for a moment longer. While
 * the state only waits for connections, the slot is as warm as in the standby.
 */
export function stableIsStopping({ state, plan, evicted }: Machine): boolean {
  const ends = state.name === "retire" || (state.name === "rollback" && state.from === "retire");
  // The write that begins to stop it also evicts its sessions.
  return ends && plan !== undefined && evicted.includes(plan.stable);
}

/** The rollout that a rollback would revert; undefined if there is none. */
export function revocable({ plan, previous, active }: Machine): RolloutPlan | undefined {
  return plan ?? (previous?.candidate === active ? previous : undefined);
}

/** The slot that has the users once a complete rollout has ended its standby. */
export function usersSlot({ active, plan, state }: Machine): Slot {
  const over = state.name === "standby" || state.name === "retire";
  return over && plan !== undefined ? plan.candidate : active;
}

/**
 * Slots whose sessions the router answers with 404. A candidate that takes over from a stable slot that is down, before its first
 * step, has users.
 */
export function evictedSlots({ evicted }: Machine, weights: Weights): readonly Slot[] {
  return evicted.filter((slot) => weights[slot] === 0);
}

/**
 * Slots that have no server intentionally, for the route table: emptied, or about to be, without a deployment since. Each of
 * them is evicted, and the routes of evicted slots show it.
 */
export function emptySlots({ state, plan, emptied }: Machine): readonly Slot[] {
  if (plan === undefined) return emptied;
  const { stable, candidate } = plan;
  if (state.name === "retire" && state.phase === "stop") return [...new Set([...emptied, stable])];
  if (state.name !== "rollback") return emptied;
  // It is deployed again; if it does not come up, that is not intentional.
  if (state.phase === "revive") return emptied.filter((slot) => slot !== stable);
  return state.evict ? [...new Set([...emptied, candidate])] : emptied;
}

/**
 * The weights of a machine. While shifting, a slot that is not ready gets 0 % if the other slot is ready: users do not wait
 * for the end of a step.
 */
export function weightsOf(machine: Machine, ready: Readiness): Weights {
  const { state, plan, active } = machine;
  if (plan === undefined) return allOn(active);
  const { stable, candidate } = plan;
  switch (state.name) {
    case "shift":
    case "hooks":
    case "approve": {
      // Before the first step the candidate is closed to users, as in the states before.
      if (state.step < 0) return allOn(stable);
      if (!ready[stable] && ready[candidate]) return allOn(candidate);
      const share = plan.steps[state.step] ?? 0;
      return candidate === "green" ? { blue: 100 - share, green: share } : { blue: share, green: 100 - share };
    }
    case "bake":
    case "standby":
    case "retire":
      return allOn(candidate);
    case "rollback":
      return allOn(state.phase === "revive" ? candidate : stable);
    default:
      return allOn(stable);
  }
}
