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
      readonly reason: string;
      /** A gate or a failed step asked for it, not a person. */
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
  /** Why it was taken back; empty when it completed. */
  readonly reason: string;
  readonly automatic: boolean;
  /** The state in which it was taken back. */
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
  | { readonly type: "fail"; readonly reason: string; readonly ready: Readiness }
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

/**
 * The next machine. An event that the state does not know changes nothing and returns the same object; one that does
 * not leave the state keeps the state's own object.
 *
 * The candidate's weight rises only on an event that says that it is ready, in a pause only by a promotion, and falls to 0 with the
 * first that says that it is not.
 */
export function reduce(machine: Machine, event: RolloutEvent): Machine {
  const { state, plan } = machine;
  if (plan === undefined) return fromRest(machine, event);
  switch (event.type) {
    case "start":
      return machine;
    case "done":
      return advanced(machine, plan, event.ready);
    case "observe":
      return observed(machine, plan, event.ready);
    case "fail":
      return failed(machine, plan, event.ready, event.reason);
    case "rollback":
      return state.name === "rollback"
        ? machine
        : rolledBack(machine, plan, event.ready, event.reason, false, event.evict);
    case "pause":
      return underWay(machine) && machine.pause === undefined ? { ...machine, pause: event.pause } : machine;
    case "continue":
      return unpaused(machine);
    case "promote":
      return promoted(machine, plan, event.full, event.ready);
    case "finish":
      return state.name === "standby" ? ended(machine, plan, "completed") : machine;
    case "retire":
      return state.name === "standby"
        ? { ...machine, state: { name: "retire", phase: "wait", drainSeconds: event.drainSeconds } }
        : machine;
  }
}

function fromRest(machine: Machine, event: RolloutEvent): Machine {
  const { active, previous } = machine;
  if (event.type === "start") {
    const { plan, ready } = event;
    if (plan.stable !== active || plan.candidate === plan.stable || !ready[plan.stable]) return machine;
    return { ...dropped(machine, "ending"), state: { name: "prepare" }, plan };
  }
  // Nothing is warm: the release before is deployed again, and gets the users when it is ready.
  if (event.type === "rollback" && previous?.candidate === active)
    return rolledBack({ ...machine, plan: previous }, previous, event.ready, event.reason, false, event.evict);
  return machine;
}

function advanced(machine: Machine, plan: RolloutPlan, ready: Readiness): Machine {
  const { state } = machine;
  const at = (next: RolloutState): Machine => ({ ...machine, state: next });
  switch (state.name) {
    case "prepare":
      return at({ name: "drain" });
    case "drain": {
      // What runs there is about to go, and with it the sessions that an earlier rollout left: they hear it as 404 and
      // initialise again, instead of meeting a container that is not there. Nothing is left to go back to, either.
      const evicted = withSlot(machine.evicted, plan.candidate);
      // From here on a slot without a server is one that did not come up.
      const emptied = without(machine.emptied, plan.candidate);
      return { ...dropped(machine, "previous"), state: { name: "deploy" }, evicted, emptied };
    }
    case "deploy":
      return at({ name: "ready" });
    case "ready":
      if (!ready[plan.candidate]) return machine;
      return { ...at({ name: "smoke" }), evicted: without(machine.evicted, plan.candidate) };
    case "smoke":
      return at({ name: "migrate" });
    case "migrate":
    case "shift":
    case "bake":
      return machine.pause === undefined || gaveAll(state, plan) ? passed(machine, plan, false, ready) : machine;
    case "retire":
      return state.phase === "stop"
        ? emptied(ended(machine, plan, "completed"), plan.stable)
        : { ...at({ ...state, phase: "stop" }), evicted: withSlot(machine.evicted, plan.stable) };
    case "rollback":
      if (state.phase === "drain") return emptied(ended(machine, plan, "rolled-back"), plan.candidate);
      if (state.phase === "flip")
        return state.evict ? at({ ...state, phase: "drain" }) : ended(machine, plan, "rolled-back");
      // Neither answers: the users go where they were served before.
      return ready[plan.stable] || !ready[plan.candidate] ? flipped(machine, plan, state) : machine;
    case "idle":
    case "approve":
    case "standby":
      return machine;
  }
}

/** The last step is no more than the moment at which the candidate gets all users: a pause holds it in the bake. */
function gaveAll(state: RolloutState, plan: RolloutPlan): boolean {
  return state.name === "shift" && plan.steps[state.step] === 100;
}

/** The state after one that has passed, with more users; `full`: with all of them. */
function passed(machine: Machine, plan: RolloutPlan, full: boolean, ready: Readiness): Machine {
  const { state } = machine;
  if (!ready[plan.candidate]) return rolledBack(machine, plan, ready, `${plan.candidate} is not ready`, true, true);
  const at = (next: RolloutState): Machine => ({ ...machine, state: next });
  if (state.name === "bake") return unpaused(at({ name: "standby" }));
  if (gaveAll(state, plan)) return at({ name: "bake" });
  const last = plan.steps.length - 1;
  const step = state.name === "shift" || state.name === "approve" ? state.step : -1;
  if (full) return at({ name: "shift", step: last });
  // The approval has been waited for where the state is `approve`.
  if (step + 1 === last && plan.approval && state.name !== "approve") return at({ name: "approve", step });
  return at({ name: "shift", step: step + 1 });
}

function promoted(machine: Machine, plan: RolloutPlan, full: boolean, ready: Readiness): Machine {
  const { name } = machine.state;
  return name === "shift" || name === "approve" || name === "bake" ? passed(machine, plan, full, ready) : machine;
}

function observed(machine: Machine, plan: RolloutPlan, ready: Readiness): Machine {
  const { state } = machine;
  if (hasGates(state) && !ready[plan.candidate]) {
    return rolledBack(machine, plan, ready, `${plan.candidate} is no longer ready`, true, true);
  }
  if (state.name === "rollback" && state.phase === "revive") {
    // There the work itself says when it is back.
    const back = ready[plan.stable] && !stableIsStopping(machine) && !machine.emptied.includes(plan.stable);
    if (back || !ready[plan.candidate]) return flipped(machine, plan, state);
  }
  return machine;
}

/** Whether the candidate is judged by gates in this state. */
function hasGates(state: RolloutState): boolean {
  return state.name === "shift" || state.name === "approve" || state.name === "bake";
}

function failed(machine: Machine, plan: RolloutPlan, ready: Readiness, reason: string): Machine {
  const { state } = machine;
  switch (state.name) {
    case "standby":
      return machine;
    case "retire":
      // The users are where they belong; a slot that could not be stopped is no reason to move them.
      return state.phase === "stop" ? ended(machine, plan, "completed") : machine;
    case "rollback":
      // A flip that could not be written is tried again; a stable slot that does not come back ends the rollback.
      if (state.phase === "flip") return machine;
      if (state.phase === "drain") return ended(machine, plan, "rolled-back");
      // What was deployed there did not come up: that is no slot that stands empty on purpose.
      return ended({ ...machine, emptied: without(machine.emptied, plan.stable) }, plan, "kept");
    default:
      return rolledBack(machine, plan, ready, reason, true, true);
  }
}

function rolledBack(
  machine: Machine,
  plan: RolloutPlan,
  ready: Readiness,
  reason: string,
  automatic: boolean,
  wished: boolean,
): Machine {
  const { state } = machine;
  const from = state.name;
  const carries = hasUsers(state);
  // Before the first step nobody is there to be sent away.
  const evict = wished && carries;
  // A dead stable slot is no refuge while the candidate still answers.
  const lost = !ready[plan.stable] || stableIsStopping(machine) || machine.emptied.includes(plan.stable);
  const rollback = { name: "rollback", from, reason, automatic, evict } as const;
  const next = { ...unpaused(machine), plan };
  return carries && lost && ready[plan.candidate]
    ? { ...next, state: { ...rollback, phase: "revive" } }
    : flipped(next, plan, { ...rollback, phase: "flip" });
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

/** Whether the candidate has users, or the rollout has been complete. */
function hasUsers(state: RolloutState): boolean {
  return hasGates(state) || state.name === "standby" || state.name === "retire" || state.name === "idle";
}

/** The stable slot has the users now; what was to be sent away from it is welcome again. */
function flipped(machine: Machine, plan: RolloutPlan, state: Extract<RolloutState, { name: "rollback" }>): Machine {
  const evicted = without(machine.evicted, plan.stable);
  return {
    ...machine,
    state: { ...state, phase: "flip" },
    evicted: state.evict ? withSlot(evicted, plan.candidate) : evicted,
    emptied: without(machine.emptied, plan.stable),
  };
}

function emptied(machine: Machine, slot: Slot): Machine {
  return { ...machine, emptied: withSlot(machine.emptied, slot) };
}

function ended(machine: Machine, plan: RolloutPlan, outcome: Outcome): Machine {
  const { state, previous } = machine;
  const active = outcome === "rolled-back" ? plan.stable : plan.candidate;
  const ending: Ending =
    state.name === "rollback"
      ? { outcome, reason: state.reason, automatic: state.automatic, from: state.from }
      : { outcome, reason: "", automatic: false, from: state.name };
  // Taken back before its slot was touched, it leaves the release before it where it was: warm.
  const before = outcome === "rolled-back" ? (previous?.id === plan.id ? undefined : previous) : plan;
  return {
    ...dropped(machine, "pause", "plan", "previous"),
    state: { name: "idle" },
    active,
    ending,
    evicted: without(machine.evicted, active),
    ...(before === undefined ? {} : { previous: before }),
  };
}

function unpaused(machine: Machine): Machine {
  return machine.pause === undefined ? machine : dropped(machine, "pause");
}

function dropped<Key extends "ending" | "pause" | "plan" | "previous">(machine: Machine, ...keys: Key[]) {
  const left = Object.entries(machine).filter(([key]) => !keys.some((each) => each === key));
  return Object.fromEntries(left) as unknown as Omit<Machine, Key>;
}

function withSlot(slots: readonly Slot[], slot: Slot): readonly Slot[] {
  return slots.includes(slot) ? slots : [...slots, slot];
}

function without(slots: readonly Slot[], slot: Slot): readonly Slot[] {
  return slots.filter((each) => each !== slot);
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

/** A state as a word for people: `shift 25 %`. */
export function stateLabel(machine: Machine): string {
  const { state, plan, pause } = machine;
  const label = state.name === "shift" ? `shift ${String(plan?.steps[state.step] ?? 0)} %` : state.name;
  return pause === undefined ? label : `${label}, paused`;
}
