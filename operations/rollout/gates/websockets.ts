import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { Trials, Verdict } from "../../../contract/verdict.ts";
import { WORSE, type Environment } from "./confounders.ts";
import { againstLimit } from "./limit-test.ts";
import type { Observation, ProbedRoundTrips } from "./observation.ts";
import { pooledSlots, shareOf, type Stratum } from "./statistics.ts";
import type { Counts } from "./traffic-samples.ts";

/**
 * Judges the probes' round trips against their limit, and refused or dropped connections against the limit of errors. The round
 * trips of users are not evidence: a client that answers late looks like a slow server, and it knows its slot.
 */
export function webSockets(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const { settings } = environment;
  const { bins } = observation.step.traffic;
  const limit = observation.roundTripLimit;
  const strata = <T>(parts: readonly T[], trials: (part: T, slot: Slot) => Trials): readonly Stratum[] =>
    parts.map((part) => ({ candidate: trials(part, candidate), stable: trials(part, otherSlot(candidate)) }));
  const probes = (trials: (probed: ProbedRoundTrips) => Trials): readonly Stratum[] =>
    strata(observation.roundTrips, (seconds, slot) => trials(seconds[slot]));
  const refused = strata(bins, ({ of }, slot) => {
    const { webSockets: trials, webSocketErrors: bad }: Counts = of[slot];
    return { trials, bad };
  });
  const hasProbes = settings.probesPerSecond > 0;
  const common = { needed: hasProbes ? settings.minimumRoundTrips : 0, bursts: true } as const;
  const errors = (lost: readonly Stratum[]): Verdict =>
    againstLimit(environment, {
      ...common,
      gate: "websocket-errors",
      strata: [...refused, ...lost],
      allowed: settings.errorRatio,
    });
  const refusedByBoth = probesRefusedByBoth(settings.errorRatio, observation, probes(withRefused));
  const others = refusedByBoth && errors(probes(({ lost: bad, done }) => ({ trials: done + bad, bad })));
  return [
    ...(hasProbes
      ? [
          againstLimit(environment, {
            ...common,
            gate: "websocket",
            strata: probes(({ slow: bad, done: trials }) => ({ trials, bad })),
            allowed: 0.05,
            thresholdMilliseconds: limit,
          }),
        ]
      : []),
    others?.verdict === "fail"
      ? others
      : (refusedByBoth ??
        errors(probes(({ lost, refused: denied, done }) => ({ trials: done + lost + denied, bad: lost + denied })))),
  ];
}

/** Probes' WebSockets, refused ones bad. */
function withRefused({ done, lost, refused: bad }: ProbedRoundTrips): Trials {
  return { trials: done + lost + bad, bad };
}

/**
 * Probes' WebSockets that both slots refuse show neither that the candidate is bad nor that it is good: their token is wrong,
 * or their address is not allowed.
 */
function probesRefusedByBoth(
  allowed: number,
  { refusal }: Observation,
  strata: readonly Stratum[],
): Verdict | undefined {
  const sample = pooledSlots(strata);
  const { candidate, stable } = sample;
  if (candidate.bad === 0 || candidate.bad < allowed * candidate.trials) return undefined;
  if (stable.bad * candidate.trials * WORSE <= candidate.bad * stable.trials) return undefined;
  return {
    gate: "websocket-errors",
    verdict: "no-data",
    why: "probes-refused-by-both",
    shared: true,
    figure: shareOf(candidate),
    limit: allowed,
    unit: "share",
    sample: { ...sample, allowed },
    test: "none",
    ...(refusal === undefined ? {} : { context: { status: refusal } }),
  };
}
