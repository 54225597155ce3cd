import type { Verdict } from "../../../contract/verdict.ts";
import type { GateSettings } from "./settings.ts";

/**
 * Probes per second and slot that continue while more samples are not urgent: the control of a stable slot without users, and
 * evidence for a gate that holds because of a problem that both slots share. More of them would add to that problem.
 */
export const CONTROL_PER_SECOND = 5;

/** Share of the hold in which the minimum of samples is reached: the last probes are scraped late. */
const SHARE_OF_HOLD = 0.6;

/** What a step knows when it chooses its probes. */
export interface ProbeNeed {
  /** Verdicts of the last check; empty before the first one. */
  readonly verdicts: readonly Verdict[];
  /** Seconds that the step lasts at least. */
  readonly holdSeconds: number;
  /** Whether both slots have users. */
  readonly usersOnBoth: boolean;
}

/**
 * Probes per second and slot; pure. While a gate holds that more answers can decide, probes continue, until it decides or the
 * step's deadline ends it.
 */
export function probeRate(
  { minimumSamples, probesPerSecond }: Pick<GateSettings, "minimumSamples" | "probesPerSecond">,
  { verdicts, holdSeconds, usersOnBoth }: ProbeNeed,
): number {
  const samples = verdicts.find(({ gate }) => gate === "errors")?.sample?.candidate.trials ?? 0;
  const held = verdicts.filter(
    ({ gate, verdict, test }) => verdict === "no-data" && test !== "none" && !gate.startsWith("websocket"),
  );
  const enough = samples >= minimumSamples;
  const urgent = held.some(({ gate, shared }) => shared !== true && (enough || gate.endsWith("-compared")));
  const missing = Math.ceil(minimumSamples / Math.max(holdSeconds * SHARE_OF_HOLD, 1));
  const wanted = urgent
    ? probesPerSecond
    : !enough
      ? missing
      : held.length > 0 || !usersOnBoth
        ? CONTROL_PER_SECOND
        : 0;
  return Math.min(probesPerSecond, wanted);
}
