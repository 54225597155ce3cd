import type { StepEvent, StepRequest } from "../../contract/events.ts";
import { blockerText } from "../../contract/sql/blocker.ts";
import { hookText } from "../../operations/notify/wording.ts";
import { failureText } from "./failure.ts";
import { verdictsLine } from "./gates.ts";

const REQUESTED: Readonly<Record<StepRequest["action"], string>> = {
  pause: "paused by",
  continue: "continued by",
  promote: "promoted by",
  rollback: "rolled back by",
  abort: "aborted by",
};

/**
 * What is shown of a step next to its title: its failure, who ended it, who holds the lock that it waits for, or the verdict and
 * the most important gate.
 */
export function stepText({ detail = "", verdicts = [], blockers = [], failure, request, hook }: StepEvent): string {
  if (failure !== undefined) return failureText(failure);
  if (request !== undefined)
    return `${REQUESTED[request.action]} ${request.who}${request.why === "" ? "" : `: ${request.why}`}`;
  if (hook !== undefined) return hookText(hook);
  return [verdictsLine(verdicts), detail, ...blockers.map(blockerText)].filter((part) => part !== "").join(", ");
}
