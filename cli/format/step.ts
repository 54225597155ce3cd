import type { StepEvent, StepRequest } from "../../contract/events.ts";
import { failureText } from "./failure.ts";
import { verdictsLine } from "./gates.ts";

const REQUESTED: Readonly<Record<StepRequest["action"], string>> = {
  pause: "paused by",
  continue: "continued by",
  promote: "promoted by",
  rollback: "rolled back by",
  abort: "aborted by",
};

/** What is shown of a step next to its title: its failure, who ended it, or the verdict and the most important gate. */
export function stepText({ detail = "", verdicts = [], failure, request }: StepEvent): string {
  if (failure !== undefined) return failureText(failure);
  if (request !== undefined)
    return `${REQUESTED[request.action]} ${request.who}${request.why === "" ? "" : `: ${request.why}`}`;
  return [verdictsLine(verdicts), detail].filter((part) => part !== "").join(", ");
}
