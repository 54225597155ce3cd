import { SLOTS } from "../../../contract/slots.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import type { Machine, RolloutState } from "./machine.ts";
import type { RolloutPlan } from "./plan.ts";

/** Label of the present state: `shift 25 %`, with `, paused` in a pause. */
export function stateLabel(machine: Machine): string {
  const { state, plan, pause } = machine;
  const label = state.name === "shift" ? `shift ${String(plan?.steps[state.step] ?? 0)} %` : state.name;
  return pause === undefined ? label : `${label}, paused`;
}

/** Weights of both slots: `blue 75 %, green 25 %`. */
export function tableLabel(table: Pick<RouteTable, "weights">): string {
  return SLOTS.map((slot) => `${slot} ${String(table.weights[slot])} %`).join(", ");
}

/** Identifier of a state's step in events, e.g. `shift-25`. */
export function stepId(state: RolloutState, plan: RolloutPlan): string {
  return state.name === "shift" ? `shift-${String(plan.steps[state.step])}` : state.name;
}
