import type { Failure } from "../../../contract/failure.ts";
import { allOn, type Slot, type Weights } from "../../../contract/slots.ts";
import type { RolloutPlan } from "./plan.ts";

/** States before the first user reaches the candidate, in their order. */
type BeforeTraffic = "prepare" | "drain" | "deploy" | "ready" | "smoke" | "migrate";

/**
 * - `prepare`: the router is brought to the stable slot, the plan is fixed.
 * - `drain`: the candidate's slot still runs what an earlier rollout left; its connections may end by themselves.
 * - `deploy`: what is left of them is closed, and the slot gets the image. - `ready`: the router sees it ready.
 * - `smoke`: it answers testers. - `migrate`: the schema is expanded.
 * - `shift`: it has `plan.steps[step]` percent, under gates. - `approve`: it keeps the weight of that step (none: -1),
 *   under gates, until a person lets it have all. - `bake`: it has all, under gates.
 * - `standby`: done; the old slot stays warm, so that a rollback is a change of weights alone.
 * - `retire`: the standby ends; `wait` for the old slot's connections, then `stop` it.
 * - `rollback`: `revive` brings the stable slot back up first where it died; `flip` gives it the users; `drain` closes
 *   what is still open on the candidate, so that those clients come back as well.
 */
export type RolloutState =
  | { readonly name: "idle" | BeforeTraffic | "bake" | "standby" }
  | { readonly name: "shift" | "approve"; readonly step: number }
  | { readonly name: "retire"; readonly phase: "wait" | "stop"; readonly drainSeconds: number }
  | {
      readonly name: "rollback";
      readonly phase: "revive" | "flip" | "drain";
      /** The state that was left. */
      readonly from: StateName;
      /** Reason that a person gave; empty if none. */
      readonly reason: string;
      /** Why it rolls back automatically; absent if a person asked for it. */
      readonly failure?: Failure;
      readonly automatic: boolean;
      /**
       * Answer the candidate's MCP sessions with 404 and close its connections, so that their clients go to the stable
       * slot as well.
       */
      readonly evict: boolean;
    };

export type StateName = RolloutState["name"];

/** How a rollout ended. `kept`: it failed, but the stable slot could not be brought back, so the candidate stays. */
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

/** A rollout that a person has stopped from going on. */
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
  /** The slot that has the users when nothing goes on. */
  readonly active: Slot;
  /** The running rollout; absent when idle. */
  readonly plan?: RolloutPlan;
  /** The rollout stays where it is, under its gates, until somebody lets it go on. */
  readonly pause?: Pause;
  /** The last one that put its candidate in force: what a rollback takes back when nothing is warm any more. */
  readonly previous?: RolloutPlan;
  /** How the last one ended. */
  readonly ending?: Ending;
  /** Slots whose MCP sessions are sent away, until their slot is deployed anew. */
  readonly evicted: readonly Slot[];
  /** Slots whose slot was emptied on purpose, until somebody begins to deploy into it. Each of them is evicted. */
  readonly emptied: readonly Slot[];
}

/** What the data plane says of the slots. Every event brings it, so that no transition rests on an old look. */
export type Readiness = Readonly<Record<Slot, boolean>>;

export type RolloutEvent =
  | { readonly type: "start"; readonly plan: RolloutPlan; readonly ready: Readiness }
  /** The work of the present state is done. */
  | { readonly type: "done"; readonly ready: Readiness }
  /** A look in between. */
  | { readonly type: "observe"; readonly ready: Readiness }
  /** The work of the present state failed, or a gate did. */
  | { readonly type: "fail"; readonly failure: Failure; readonly ready: Readiness }
  /** A person takes it back. */
  | { readonly type: "rollback"; readonly reason: string; readonly evict: boolean; readonly ready: Readiness }
  /** A person stops it from going on, or lets it. */
  | { readonly type: "pause"; readonly pause: Pause; readonly ready: Readiness }
  | { readonly type: "continue"; readonly ready: Readiness }
  /** A person passes to the next step without waiting for the rest of this one, or to all users. */
  | { readonly type: "promote"; readonly full: boolean; readonly ready: Readiness }
  /** A new rollout needs the standby's slot. */
  | { readonly type: "finish"; readonly ready: Readiness }
  /** A person ends the standby: its slot is emptied. `drainSeconds`: see the plan's. */
  | { readonly type: "retire"; readonly drainSeconds: number; readonly ready: Readiness };

/** A stack that has never seen a rollout. */
export function restingMachine(active: Slot): Machine {
  return { state: { name: "idle" }, active, evicted: [], emptied: [] };
}

/** Whether the machine rests: no controller has to run. */
export function atRest(machine: Machine): boolean {
  return machine.state.name === "idle" || machine.state.name === "standby";
}

/** Whether a pause, a promotion or a rollback by a person means something now. */
export function underWay(machine: Machine): boolean {
  return machine.plan !== undefined && !atRest(machine) && !["retire", "rollback"].includes(machine.state.name);
}

/** Whether the candidate is judged by gates in this state. */
export function hasGates(state: RolloutState): boolean {
  return state.name === "shift" || state.name === "approve" || state.name === "bake";
}

/**
 * Whether the end of the standby has begun to stop the stable slot's slot, which may look ready to the router for a moment
 * longer. As long as it only waits for connections, the slot is as good as in the standby.
 */
export function stableIsStopping({ state, plan, evicted }: Machine): boolean {
  const ends = state.name === "retire" || (state.name === "rollback" && state.from === "retire");
  // Its sessions are sent away in the same write that begins to stop it.
  return ends && plan !== undefined && evicted.includes(plan.stable);
}

/** The slot that has the users when the last rollout, if it is warm, is over for good. */
export function usersSlot({ active, plan, state }: Machine): Slot {
  const over = state.name === "standby" || state.name === "retire";
  return over && plan !== undefined ? plan.candidate : active;
}

/**
 * Slots whose slot has no server on purpose, for everybody who would miss one: it was emptied or is about to be, and
 * nobody has begun to deploy into it since. Each of them is among the evicted, whose routes say so.
 */
export function emptySlots({ state, plan, emptied }: Machine): readonly Slot[] {
  if (plan === undefined) return emptied;
  const { stable, candidate } = plan;
  if (state.name === "retire" && state.phase === "stop") return [...new Set([...emptied, stable])];
  if (state.name !== "rollback") return emptied;
  // It is deployed anew: where it does not come up, that is for no purpose.
  if (state.phase === "revive") return emptied.filter((slot) => slot !== stable);
  return state.evict ? [...new Set([...emptied, candidate])] : emptied;
}

/**
 * The weights that belong to a machine. While shifting, a slot that is not ready gets nothing as long as the other
 * one is ready: users do not wait for the end of a step.
 */
export function weightsOf(machine: Machine, ready: Readiness): Weights {
  const { state, plan, active } = machine;
  if (plan === undefined) return allOn(active);
  const { stable, candidate } = plan;
  switch (state.name) {
    case "shift":
    case "approve": {
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
