import { SLOTS } from "../../../contract/slots.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";
import type { Machine } from "./machine.ts";

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
