import type { StepEvent } from "../../contract/events.ts";
import { failureText } from "./failure.ts";
import { verdictsLine } from "./gates.ts";

/** What is shown of a step next to its title: its failure, or the verdict and the gate nearest to its limit. */
export function stepText({ detail = "", verdicts = [], failure }: StepEvent): string {
  if (failure !== undefined) return failureText(failure);
  return [verdictsLine(verdicts), detail].filter((part) => part !== "").join(", ");
}
