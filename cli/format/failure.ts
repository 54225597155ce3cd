import type { Failure } from "../../contract/failure.ts";
import { hookText } from "../../operations/notify/wording.ts";
import { byImportance, verdictDetail, verdictLine } from "./gates.ts";

/** A failure in one line. */
export function failureText(failure: Failure): string {
  switch (failure.code) {
    case "gate-failed":
      return byImportance(failure.verdicts).map(verdictDetail).join("; ");
    case "gates-timeout": {
      const open = byImportance(failure.verdicts).map(verdictLine).join("; ");
      return `the gates did not pass within ${String(failure.seconds)} s: ${open}`;
    }
    case "unready":
      return `${failure.slot} is not ready`;
    case "not-ready":
      return `${failure.slot} is not ready after ${String(failure.seconds)} s: ${failure.last}${logText(failure.log)}`;
    case "container-failed":
      return `${verdictLine(failure.verdict)} on ${failure.slot}${logText(failure.log)}`;
    case "smoke-failed":
      return `smoke check "${failure.check}" failed: ${failure.message}`;
    case "hook-failed":
      return `hook ${hookText(failure.run)}`;
    case "error":
      return failure.message;
  }
}

function logText(log: string | undefined): string {
  return log === undefined ? "" : `; last log lines: ${log}`;
}
