import type { Failure } from "../../../contract/failure.ts";
import { SLOTS, type Weights } from "../../../contract/slots.ts";
import type { Holder } from "../../../operations/rollout/ports/lease.ts";
import { failureText } from "../failure.ts";

/** What failed, or the reason that a person gave. */
export function causeText({ reason, failure }: { readonly reason: string; readonly failure?: Failure }): string {
  return failure === undefined ? reason : failureText(failure);
}

/** `ann@host (cutover, process 42)`. */
export function holderText({ who, verb, pid }: Holder): string {
  return `${who} (${verb}, process ${String(pid)})`;
}

/** `blue 95 %, green 5 %`. */
export function weightsText(weights: Weights): string {
  return SLOTS.map((slot) => `${slot} ${String(weights[slot])} %`).join(", ");
}
