import { allOn, type Colour, type Weights } from "../../contract/colours.ts";
import type { RolloutPlan } from "./plan.ts";

/** States before the first user reaches the candidate, in their order. */
type BeforeTraffic = "prepare" | "deploy" | "ready" | "smoke" | "migrate";

/**
 * - `prepare`: the router is brought to the stable colour, the plan is fixed.
 * - `deploy`: the candidate's slot gets the image. - `ready`: the router sees it ready.
 * - `smoke`: it answers testers. - `migrate`: the schema is expanded.
 * - `shift`: it has `plan.steps[step]` percent, under gates. - `bake`: it has all, under gates.
 * - `standby`: done; the old colour stays warm, so that a rollback is a change of weights alone.
 * - `rollback`: `revive` brings the stable colour back up first where it died; `flip` gives it the users.
 */
export type RolloutState =
  | { readonly name: "idle" | BeforeTraffic | "bake" | "standby" }
  | { readonly name: "shift"; readonly step: number }
  | {
      readonly name: "rollback";
      readonly phase: "revive" | "flip";
      /** The state that was left. */
      readonly from: StateName;
      readonly reason: string;
      /** A gate or a failed step asked for it, not a person. */
      readonly automatic: boolean;
      /** Answer the candidate's MCP sessions with 404, so that their clients go to the stable colour as well. */
      readonly evict: boolean;
    };

export type StateName = "idle" | BeforeTraffic | "shift" | "bake" | "standby" | "rollback";

/** How a rollout ended. `kept`: it failed, but the stable colour could not be brought back, so the candidate stays. */
export type Outcome = "completed" | "rolled-back" | "kept";

export interface Ending {
  readonly outcome: Outcome;
  /** Why it was taken back; empty when it completed. */
  readonly reason: string;
  readonly automatic: boolean;
  /** The state in which it was taken back. */
  readonly from: StateName;
}

/** The machine at rest or in a rollout. */
export interface Machine {
  readonly state: RolloutState;
  /** The colour that has the users when nothing goes on. */
  readonly active: Colour;
  /** The running rollout; absent when idle. */
  readonly plan?: RolloutPlan;
  /** How the last one ended. */
  readonly ending?: Ending;
  /** Colours whose MCP sessions are sent away, until their slot is deployed anew. */
  readonly evicted: readonly Colour[];
}

/** What the data plane says of the colours. Every event brings it, so that no transition rests on an old look. */
export type Readiness = Readonly<Record<Colour, boolean>>;

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
  /** The time of the standby is over, or a new rollout needs its slot. */
  | { readonly type: "finish"; readonly ready: Readiness };

/** A stack that has never seen a rollout. */
export function restingMachine(active: Colour): Machine {
  return { state: { name: "idle" }, active, evicted: [] };
}

/** Whether the machine rests: no controller has to run. */
export function atRest(machine: Machine): boolean {
  return machine.state.name === "idle" || machine.state.name === "standby";
}

/**
 * The next machine. An event that the state does not know changes nothing and returns the same object.
 *
 * The candidate's weight rises only on an event that says that it is ready, and falls to 0 with the first that says
 * that it is not.
 */
export function reduce(machine: Machine, event: RolloutEvent): Machine {
  const { state, plan } = machine;
  if (plan === undefined) return event.type === "start" ? started(machine, event) : machine;
  switch (event.type) {
    case "start":
      return machine;
    case "done":
      return advanced(machine, plan, event.ready);
    case "observe":
      return observed(machine, plan, event.ready);
    case "fail":
      if (state.name === "standby") return machine;
      if (state.name !== "rollback") return rolledBack(machine, plan, event.ready, event.reason, true, true);
      // A flip that could not be written is tried again; a stable colour that does not come back ends the rollback.
      return state.phase === "flip" ? machine : ended(machine, plan.candidate, "kept");
    case "rollback":
      return state.name === "rollback"
        ? machine
        : rolledBack(machine, plan, event.ready, event.reason, false, event.evict);
    case "finish":
      return state.name === "standby" ? ended(machine, plan.candidate, "completed") : machine;
  }
}

function started(machine: Machine, event: Extract<RolloutEvent, { type: "start" }>): Machine {
  const { plan, ready } = event;
  if (plan.stable !== machine.active || plan.candidate === plan.stable || !ready[plan.stable]) return machine;
  return { state: { name: "prepare" }, active: machine.active, plan, evicted: machine.evicted };
}

function advanced(machine: Machine, plan: RolloutPlan, ready: Readiness): Machine {
  const { state } = machine;
  const at = (next: RolloutState): Machine => ({ ...machine, state: next });
  const withTraffic = (next: RolloutState): Machine =>
    ready[plan.candidate] ? at(next) : rolledBack(machine, plan, ready, `${plan.candidate} is not ready`, true, true);
  switch (state.name) {
    case "prepare":
      // The slot's old container is about to go, and with it the sessions that an earlier rollout left there: they hear
      // it as 404 and initialise again, instead of meeting a container that is not there.
      return { ...at({ name: "deploy" }), evicted: [...new Set([...machine.evicted, plan.candidate])] };
    case "deploy":
      return at({ name: "ready" });
    case "ready":
      if (!ready[plan.candidate]) return machine;
      return { ...at({ name: "smoke" }), evicted: machine.evicted.filter((colour) => colour !== plan.candidate) };
    case "smoke":
      return at({ name: "migrate" });
    case "migrate":
      return withTraffic({ name: "shift", step: 0 });
    case "shift":
      return withTraffic(
        state.step + 1 < plan.steps.length ? { name: "shift", step: state.step + 1 } : { name: "bake" },
      );
    case "bake":
      return withTraffic({ name: "standby" });
    case "rollback":
      if (state.phase === "flip") return ended(machine, plan.stable, "rolled-back");
      // Neither answers: the users go where they were served before.
      return ready[plan.stable] || !ready[plan.candidate] ? at({ ...state, phase: "flip" }) : machine;
    case "idle":
    case "standby":
      return machine;
  }
}

function observed(machine: Machine, plan: RolloutPlan, ready: Readiness): Machine {
  const { state } = machine;
  if ((state.name === "shift" || state.name === "bake") && !ready[plan.candidate]) {
    return rolledBack(machine, plan, ready, `${plan.candidate} is no longer ready`, true, true);
  }
  if (state.name === "rollback" && state.phase === "revive" && (ready[plan.stable] || !ready[plan.candidate])) {
    return { ...machine, state: { ...state, phase: "flip" } };
  }
  return machine;
}

function rolledBack(
  machine: Machine,
  plan: RolloutPlan,
  ready: Readiness,
  reason: string,
  automatic: boolean,
  evict: boolean,
): Machine {
  const from = machine.state.name;
  const carries = from === "shift" || from === "bake" || from === "standby";
  // A dead stable colour is no refuge while the candidate still answers.
  const phase = carries && !ready[plan.stable] && ready[plan.candidate] ? "revive" : "flip";
  return {
    ...machine,
    state: { name: "rollback", phase, from, reason, automatic, evict: evict && carries },
    evicted: evict && carries ? [...new Set([...machine.evicted, plan.candidate])] : machine.evicted,
  };
}

function ended(machine: Machine, active: Colour, outcome: Outcome): Machine {
  const evicted = outcome === "kept" ? machine.evicted.filter((colour) => colour !== active) : machine.evicted;
  const { state } = machine;
  const ending: Ending =
    state.name === "rollback"
      ? { outcome, reason: state.reason, automatic: state.automatic, from: state.from }
      : { outcome, reason: "", automatic: false, from: state.name };
  return { state: { name: "idle" }, active, ending, evicted };
}

/**
 * The weights that belong to a machine. While shifting, a colour that is not ready gets nothing as long as the other
 * one is ready: users do not wait for the end of a step.
 */
export function weightsOf(machine: Machine, ready: Readiness): Weights {
  const { state, plan, active } = machine;
  if (plan === undefined) return allOn(active);
  const { stable, candidate } = plan;
  switch (state.name) {
    case "shift": {
      if (!ready[stable] && ready[candidate]) return allOn(candidate);
      const share = plan.steps[state.step] ?? 0;
      return candidate === "green" ? { blue: 100 - share, green: share } : { blue: share, green: 100 - share };
    }
    case "bake":
    case "standby":
      return allOn(candidate);
    case "rollback":
      return allOn(state.phase === "revive" ? candidate : stable);
    default:
      return allOn(stable);
  }
}

/** Colours whose MCP sessions are answered with 404 now: not before the users have somewhere to go. */
export function evictionsOf(machine: Machine): readonly Colour[] {
  return machine.state.name === "rollback" && machine.state.phase === "revive" ? [] : machine.evicted;
}

/** A state as a word for people: `shift 25 %`. */
export function stateLabel(machine: Machine): string {
  const { state, plan } = machine;
  if (state.name === "shift") return `shift ${String(plan?.steps[state.step] ?? 0)} %`;
  return state.name;
}
