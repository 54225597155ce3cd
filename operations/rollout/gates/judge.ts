import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { Trials, Verdict } from "../../../contract/verdict.ts";
import { environmentOf } from "./confounders.ts";
import { againstLimit, compared } from "./limit-test.ts";
import type { Observation } from "./observation.ts";
import { refusals, refusedProbes } from "./refusals.ts";
import type { GateSettings } from "./settings.ts";
import type { Stratum } from "./statistics.ts";
import { above, added, quantile, type Bin, type Counts } from "./traffic-samples.ts";
import { webSockets } from "./websockets.ts";

/** Verdicts on the candidate at one check; pure. */
export function judge(settings: GateSettings, candidate: Slot, observation: Observation): readonly Verdict[] {
  const { step, both } = observation;
  const { bins } = step.traffic;
  if (!step.traffic.known.includes(candidate))
    return [{ gate: "data", verdict: "no-data", why: "not-scraped", test: "none" }];
  const strata = (parts: readonly Bin[], trials: (counts: Counts) => Trials): readonly Stratum[] =>
    parts.map(({ of }) => ({ candidate: trials(of[candidate]), stable: trials(of[otherSlot(candidate)]) }));
  const errors = (parts: readonly Bin[]): readonly Stratum[] =>
    strata(parts, ({ requests, errors: failed, streams, streamErrors }) => ({
      trials: requests + streams,
      bad: failed + streamErrors,
    }));
  const slow = (parts: readonly Bin[], limit: number): readonly Stratum[] =>
    strata(parts, ({ latency }) => above(latency, limit));
  const latency = added(bins.map(({ of }) => of[candidate].latency));
  const before = observation.before?.latency;
  const environment = environmentOf(settings, candidate, observation);
  const quantileGate = (gate: string, allowed: number, limit: number): Verdict => {
    const figure = quantile(latency, 1 - allowed);
    return againstLimit(environment, {
      gate,
      strata: slow(bins, limit),
      allowed,
      needed: settings.minimumSamples,
      bursts: true,
      thresholdMilliseconds: limit,
      ...(before === undefined ? {} : { before: above(before, limit) }),
      shown: { ...(Number.isFinite(figure) ? { figure } : {}), limit, unit: "ms" },
    });
  };

  const { errorRatio, minimumSamples, p95Milliseconds, p99Milliseconds } = settings;
  const verdicts = [
    againstLimit(environment, {
      gate: "errors",
      strata: errors(bins),
      allowed: errorRatio,
      needed: minimumSamples,
      bursts: false,
    }),
    quantileGate("p95", 0.05, p95Milliseconds),
    quantileGate("p99", 0.01, p99Milliseconds),
    ...webSockets(environment, candidate, observation),
    ...refusedProbes(environment, candidate, observation),
  ];
  const paired = both.traffic.bins;
  if (paired.length === 0) return verdicts;
  return [
    ...verdicts,
    compared(environment, both.epoch, "errors-compared", errors(paired)),
    compared(environment, both.epoch, "slow-compared", slow(paired, p95Milliseconds), p95Milliseconds),
    ...refusals(environment, candidate, observation),
  ];
}
