import type { Failure } from "../../../contract/failure.ts";
import type { HookRun } from "../../../contract/hooks.ts";
import type { Slot } from "../../../contract/slots.ts";
import { dueHooks, haveRun, nextStep, endHooks, type HooksState } from "./hooks.ts";
import {
  hasGates,
  stableIsStopping,
  underWay,
  type Ending,
  type Machine,
  type Outcome,
  type Readiness,
  type RolloutEvent,
  type RolloutState,
} from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";

/**
 * The next machine. An event that does not apply to the state returns the same object; an event that does not leave the state
 * keeps the state's object.
 *
 * The candidate's weight rises only on an event with the candidate ready, during a pause only by a promotion, and falls to 0 on
 * the first event with the candidate not ready.
 */
export function reduce(machine: Machine, event: RolloutEvent): Machine {
  const { state, plan } = machine;
  if (event.type === "hook") return recorded(machine, event.run);
  if (plan === undefined) return fromRest(machine, event);
  switch (event.type) {
    case "start":
      return machine;
    case "done":
      return advanced(machine, plan, event.ready);
    case "observe":
      return observed(machine, plan, event.ready);
    case "fail":
      return failed(machine, plan, event.ready, event.failure);
    case "rollback":
      return state.name === "rollback"
        ? machine
        : rolledBack(machine, plan, event.ready, { reason: event.reason }, event.evict);
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
    return { ...dropped(machine, "ending", "hooks", "unreported"), state: { name: "prepare" }, plan };
  }
  // No slot is warm: the previous release is deployed again, and gets the users when it is ready.
  if (event.type === "rollback" && previous?.candidate === active)
    return rolledBack({ ...machine, plan: previous }, previous, event.ready, { reason: event.reason }, event.evict);
  return machine;
}

function advanced(machine: Machine, plan: RolloutPlan, ready: Readiness): Machine {
  const { state } = machine;
  const at = (next: RolloutState): Machine => ({ ...machine, state: next });
  switch (state.name) {
    case "prepare":
      return at({ name: "drain" });
    case "drain": {
      // The slot's old server is about to stop. Its MCP sessions get 404 and initialize again, instead of errors from a missing
      // container. There is also no previous release to roll back to any more.
      const evicted = withSlot(machine.evicted, plan.candidate);
      // From now on, a slot without a server is a failed deployment.
      const emptied = without(machine.emptied, plan.candidate);
      return { ...dropped(machine, "previous"), state: { name: "deploy" }, evicted, emptied };
    }
    case "deploy":
      return at({ name: "ready" });
    case "ready":
      if (!ready[plan.candidate]) return machine;
      return at({ name: "smoke" });
    case "smoke":
      return at({ name: "migrate" });
    case "migrate":
    case "shift":
    case "bake":
      return machine.pause === undefined || gaveAll(state, plan) ? passed(machine, plan, false, ready) : machine;
    case "hooks": {
      const go = machine.pause === undefined && haveRun(machine, dueHooks(plan, state));
      return go ? passed(machine, plan, state.full, ready) : machine;
    }
    case "retire":
      return state.phase === "stop"
        ? emptied(ended(machine, plan, "completed"), plan.stable)
        : { ...at({ ...state, phase: "stop" }), evicted: withSlot(machine.evicted, plan.stable) };
    case "rollback":
      if (state.phase === "drain") return emptied(ended(machine, plan, "rolled-back"), plan.candidate);
      if (state.phase === "flip")
        return state.evict ? at({ ...state, phase: "drain" }) : ended(machine, plan, "rolled-back");
      // If both slots are down, the users return to the stable slot.
      return ready[plan.stable] || !ready[plan.candidate] ? flipped(machine, plan, state) : machine;
    case "idle":
    case "approve":
    case "standby":
      return machine;
  }
}

/** The step of 100 % ends at once: a pause holds the rollout in the bake. */
function gaveAll(state: RolloutState, plan: RolloutPlan): boolean {
  return state.name === "shift" && plan.steps[state.step] === 100;
}

/** The machine after a state has passed. `full`: the candidate gets all users. */
function passed(machine: Machine, plan: RolloutPlan, full: boolean, ready: Readiness): Machine {
  const { state } = machine;
  if (!ready[plan.candidate]) return rolledBack(machine, plan, ready, unready(plan), true);
  const at = (next: RolloutState): Machine => ({ ...machine, state: next });
  const phase = state.name === "hooks" ? state.phase : undefined;
  const last = plan.steps.length - 1;
  if (gaveAll(state, plan)) return at({ name: "bake" });
  if (state.name === "bake" || phase === "complete") {
    const hooks = hooksState(plan, "complete", last, false);
    if (phase === undefined && hooks !== undefined) return at(hooks);
    return unreported(unpaused(at({ name: "standby" })), plan, "completed");
  }
  const step = "step" in state ? state.step : -1;
  const after = state.name === "shift" ? hooksState(plan, "after", step, full) : undefined;
  if (after !== undefined) return at(after);
  const next = nextStep({ step, full }, plan);
  // In the state `approve`, the approval was given. The hooks before a step come after its approval.
  const asks = plan.approval && next === last && !full && state.name !== "approve" && phase !== "before";
  if (asks) return at({ name: "approve", step });
  const before = phase === "before" ? undefined : hooksState(plan, "before", step, full);
  if (before !== undefined) return at(before);
  // Until here the candidate had no session of a user: a client that names it in a session only looks for a way in.
  return { ...at({ name: "shift", step: next }), evicted: without(machine.evicted, plan.candidate) };
}

/** The state of the hooks at a point; undefined if there are none. */
function hooksState(
  plan: RolloutPlan,
  phase: HooksState["phase"],
  step: number,
  full: boolean,
): HooksState | undefined {
  const state: HooksState = { name: "hooks", phase, step, full };
  return dueHooks(plan, state).length === 0 ? undefined : state;
}

/** Records a run in place of the earlier ones of the same hook and step. */
function recorded(machine: Machine, run: HookRun): Machine {
  const others = (machine.hooks ?? []).filter(({ hook, step }) => hook !== run.hook || step !== run.step);
  const next = { ...machine, hooks: [...others, run] };
  const { unreported: waiting } = machine;
  const reported = waiting !== undefined && haveRun(next, endHooks(waiting.plan, waiting.outcome));
  return reported ? dropped(next, "unreported") : next;
}

/** The end of a rollout is to be reported to its hooks. */
function unreported(machine: Machine, plan: RolloutPlan, outcome: Outcome): Machine {
  return haveRun(machine, endHooks(plan, outcome)) ? machine : { ...machine, unreported: { plan, outcome } };
}

function promoted(machine: Machine, plan: RolloutPlan, full: boolean, ready: Readiness): Machine {
  const { name } = machine.state;
  return name === "shift" || name === "approve" || name === "bake" ? passed(machine, plan, full, ready) : machine;
}

function observed(machine: Machine, plan: RolloutPlan, ready: Readiness): Machine {
  const { state } = machine;
  if (hasGates(state) && !ready[plan.candidate]) {
    return rolledBack(machine, plan, ready, unready(plan), true);
  }
  if (state.name === "rollback" && state.phase === "revive") {
    // While the slot is being stopped or empty, the state's handler reports when it is ready.
    const back = ready[plan.stable] && !stableIsStopping(machine) && !machine.emptied.includes(plan.stable);
    if (back || !ready[plan.candidate]) return flipped(machine, plan, state);
  }
  return machine;
}

function failed(machine: Machine, plan: RolloutPlan, ready: Readiness, failure: Failure): Machine {
  const { state } = machine;
  switch (state.name) {
    case "standby":
      return machine;
    case "retire":
      // The users are on the right slot; a slot that cannot be stopped does not move them.
      return state.phase === "stop" ? ended(machine, plan, "completed") : machine;
    case "rollback":
      // A flip that failed is retried; a stable slot that does not become ready ends the rollback.
      if (state.phase === "flip") return machine;
      if (state.phase === "drain") return ended(machine, plan, "rolled-back");
      // The deployment failed, so the slot is not empty intentionally.
      return ended({ ...machine, emptied: without(machine.emptied, plan.stable) }, plan, "kept");
    default:
      return rolledBack(machine, plan, ready, { failure }, true);
  }
}

/** Why a rollout rolls back: a person's reason, or a failure. */
interface Cause {
  readonly reason?: string;
  readonly failure?: Failure;
}

function unready({ candidate }: RolloutPlan): Cause {
  return { failure: { code: "unready", slot: candidate } };
}

function rolledBack(
  machine: Machine,
  plan: RolloutPlan,
  ready: Readiness,
  { reason = "", failure }: Cause,
  wished: boolean,
): Machine {
  const { state } = machine;
  const from = state.name;
  const carries = hasUsers(state);
  // Before the first step the candidate has no users to evict.
  const evict = wished && carries;
  // A stable slot that is down gets no users while the candidate is ready.
  const lost = !ready[plan.stable] || stableIsStopping(machine) || machine.emptied.includes(plan.stable);
  const automatic = failure !== undefined;
  const cause = automatic ? { reason, failure } : { reason };
  const rollback = { name: "rollback", from, ...cause, automatic, evict } as const;
  const next = { ...unpaused(machine), plan };
  return carries && lost && ready[plan.candidate]
    ? { ...next, state: { ...rollback, phase: "revive" } }
    : flipped(next, plan, { ...rollback, phase: "flip" });
}

/** Whether the candidate has users, or the rollout was complete. */
function hasUsers(state: RolloutState): boolean {
  if ("step" in state && state.step < 0) return false;
  return hasGates(state) || state.name === "standby" || state.name === "retire" || state.name === "idle";
}

/** The stable slot has the users now, and is no longer evicted. */
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
      ? {
          outcome,
          reason: state.reason,
          ...(state.failure === undefined ? {} : { failure: state.failure }),
          automatic: state.automatic,
          from: state.from,
        }
      : { outcome, reason: "", automatic: false, from: state.name };
  // Rolled back before its slot was changed, so the previous release is still warm.
  const before = outcome === "rolled-back" ? (previous?.id === plan.id ? undefined : previous) : plan;
  const rest: Machine = {
    ...dropped(machine, "pause", "plan", "previous"),
    state: { name: "idle" },
    active,
    ending,
    evicted: without(machine.evicted, active),
    ...(before === undefined ? {} : { previous: before }),
  };
  return outcome === "completed" ? rest : unreported(dropped(rest, "unreported"), plan, outcome);
}

function unpaused(machine: Machine): Machine {
  return machine.pause === undefined ? machine : dropped(machine, "pause");
}

function dropped<Key extends "ending" | "hooks" | "pause" | "plan" | "previous" | "unreported">(
  machine: Machine,
  ...keys: Key[]
) {
  const left = Object.entries(machine).filter(([key]) => !keys.some((each) => each === key));
  return Object.fromEntries(left) as unknown as Omit<Machine, Key>;
}

function withSlot(slots: readonly Slot[], slot: Slot): readonly Slot[] {
  return slots.includes(slot) ? slots : [...slots, slot];
}

function without(slots: readonly Slot[], slot: Slot): readonly Slot[] {
  return slots.filter((each) => each !== slot);
}
