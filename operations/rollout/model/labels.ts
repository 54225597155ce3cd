import { SLOTS } from "../../../contract/slots.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import { nextStep } from "./hooks.ts";
import type { Machine, RolloutState } from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";

/** Label of the present state: `shift 25 %`, with `, paused` in a pause. */
export function stateLabel(machine: Machine): string {
  const { state, plan, pause } = machine;
  const label = plan === undefined ? state.name : labelIn(plan, state);
  return pause === undefined ? label : `${label}, paused`;
}

function labelIn(plan: RolloutPlan, state: RolloutState): string {
  const shift = (step: number): string => `shift ${String(plan.steps[step] ?? 0)} %`;
  if (state.name === "shift") return shift(state.step);
  if (state.name !== "hooks") return state.name;
  if (state.phase === "complete") return "hooks before completion";
  return state.phase === "after" ? `hooks after ${shift(state.step)}` : `hooks before ${shift(nextStep(state, plan))}`;
}

/** Weights of both slots: `blue 75 %, green 25 %`. */
export function tableLabel(table: Pick<RouteTable, "weights">): string {
  return SLOTS.map((slot) => `${slot} ${String(table.weights[slot])} %`).join(", ");
}

/** Identifier of a state's step in events, e.g. `shift-25`. */
export function stepId(state: RolloutState, plan: RolloutPlan): string {
  if (state.name === "shift") return `shift-${String(plan.steps[state.step])}`;
  if (state.name !== "hooks") return state.name;
  if (state.phase === "complete") return "hooks-complete";
  return `hooks-${state.phase}-${String(plan.steps[state.phase === "after" ? state.step : nextStep(state, plan)])}`;
}
