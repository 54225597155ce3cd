import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { Trials, Verdict } from "../../../contract/verdict.ts";
import { WORSE, type Environment } from "./confounders.ts";
import { againstLimit } from "./limit-test.ts";
import type { Observation, ProbedRoundTrips } from "./observation.ts";
import { pooledSlots, shareOf, type Stratum } from "./statistics.ts";
import { above, added, type Bin, type Counts } from "./traffic-samples.ts";

/** Seconds of a bin of what the servers count: both slots' servers are scraped at different times. */
const SERVER_BIN_SECONDS = 6;

/** Judges round trips against their limit, and refused or dropped connections against the limit of errors. */
export function webSockets(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const { settings } = environment;
  const { bins } = observation.step.traffic;
  const limit = observation.roundTripLimit;
  const strata = <T>(parts: readonly T[], trials: (part: T, slot: Slot) => Trials): readonly Stratum[] =>
    parts.map((part) => ({ candidate: trials(part, candidate), stable: trials(part, otherSlot(candidate)) }));
  const measured = strata(inServerBins(bins), (group, slot) =>
    above(added(group.map(({ of }) => of[slot].roundTrips)), limit / 1000),
  );
  const probes = (trials: (probed: ProbedRoundTrips) => Trials): readonly Stratum[] =>
    strata(observation.roundTrips, (seconds, slot) => trials(seconds[slot]));
  const refused = strata(bins, ({ of }, slot) => {
    const { webSockets: trials, webSocketErrors: bad }: Counts = of[slot];
    return { trials, bad };
  });
  const common = { needed: settings.minimumRoundTrips, bursts: true } as const;
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
    againstLimit(environment, {
      ...common,
      gate: "websocket",
      strata: [...measured, ...probes(({ slow: bad, done: trials }) => ({ trials, bad }))],
      allowed: 0.05,
      thresholdMilliseconds: limit,
    }),
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

function inServerBins(bins: readonly Bin[]): readonly (readonly Bin[])[] {
  return [...Map.groupBy(bins, ({ at }) => Math.floor(at / SERVER_BIN_SECONDS)).values()];
}
