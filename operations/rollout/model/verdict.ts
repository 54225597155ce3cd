import type { Verdict } from "../../../contract/verdict.ts";

/** All verdicts of a check as one: any failure fails, all must pass. */
export function together(verdicts: readonly Verdict[]): Verdict["verdict"] {
  if (verdicts.some(({ verdict }) => verdict === "fail")) return "fail";
  return verdicts.length > 0 && verdicts.every(({ verdict }) => verdict === "pass") ? "pass" : "no-data";
}
