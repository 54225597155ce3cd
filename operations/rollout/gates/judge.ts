import { otherSlot, type Slot } from "../../../contract/slots.ts";
import type { GateSettings, Verdict } from "./settings.ts";
import { refusals, refusedProbes } from "./refusals.ts";
import { againstLimit, compared, noData, percent } from "./limit-test.ts";
import { pooled, type Share, type Stratum } from "./statistics.ts";
import { counts, environmentOf, WORSE, type Environment } from "./confounders.ts";
import { above, added, quantile, type Bin, type Counts, type Traffic } from "./traffic-samples.ts";

/** What the judge is shown. */
export interface Observation {
  /** This step, or the last minutes of a long one. */
  readonly step: Period;
  /** The rollout as long as users were on both slots, or the last minutes of it. Their requests are alike. */
  readonly both: Period & {
    /** The largest share of new requests that the candidate had in it, 0 to 1. */
    readonly weight: number;
  };
  /** Milliseconds that a WebSocket's round trip may take, the way of the probes added: a bound of the server's histogram. */
  readonly roundTripLimit: number;
  /** Round trips of the probes' WebSockets on this step, slow ones above that limit; a lost one is a failure. */
  readonly roundTrips: readonly ProbedSeconds[];
  /** How the stable slot refused probes' WebSockets, such as `HTTP 401`; absent where it refused none. */
  readonly refusal?: string;
  /** What the probes' requests were answered on this step. */
  readonly probes: readonly ProbedAnswers[];
  /** Whether the stable slot has refused probes in this rollout: then they are no users like others. */
  readonly probesRefused: boolean;
  /** Whether the candidate must refuse WebSockets that the stable slot takes: a key is retired. */
  readonly retiresKey?: boolean;
  /** Milliseconds of the candidate's answers to health checks on this step. */
  readonly health: readonly number[];
  /** The stable slot when it had all users, before the rollout. */
  readonly before?: Pick<Counts, "requests" | "latency" | "cpuSeconds">;
}

interface Period {
  readonly traffic: Traffic;
  /** Which test in a row this is, from 1: {@link evidenceNeeded}. */
  readonly epoch: number;
}

/** Probes' round trips by slot in the same few seconds. */
export type ProbedSeconds = Readonly<Record<Slot, ProbedRoundTrips>>;

export interface ProbedRoundTrips {
  readonly done: number;
  /** Those that took longer than the limit. */
  readonly slow: number;
  /** Not answered, or the connection was dropped. */
  readonly lost: number;
  /** Openings that were answered with HTTP, below 500. */
  readonly refused: number;
}

/** Answers to probes by slot in the same few seconds. */
export type ProbedAnswers = Readonly<Record<Slot, { readonly answered: number; readonly refused: number }>>;

/** Seconds of a bin of what the server counts itself: it is scraped at other times than its other slot. */
const SERVER_BIN_SECONDS = 6;

/** The verdicts on both slots in the same seconds; pure. */
export function judge(settings: GateSettings, candidate: Slot, observation: Observation): readonly Verdict[] {
  const { step, both } = observation;
  const before = observation.before?.latency;
  const stable = otherSlot(candidate);
  if (!step.traffic.known.includes(candidate)) {
    return [noData("data", "the router has not been scraped twice yet, or not lately")];
  }
  const strata = (bins: readonly Bin[], share: (counts: Counts) => Share): readonly Stratum[] =>
    bins.map(({ of }) => ({ own: share(of[candidate]), stable: share(of[stable]) }));
  const errors = (bins: readonly Bin[]): readonly Stratum[] =>
    strata(bins, ({ requests, errors: failed, streams, streamErrors }) => ({
      hits: failed + streamErrors,
      trials: requests + streams,
    }));
  const slow = (bins: readonly Bin[], limit: number): readonly Stratum[] =>
    strata(bins, (counts) => above(counts.latency, limit));
  const latency = added(step.traffic.bins.map(({ of }) => of[candidate].latency));
  const environment = environmentOf(settings, candidate, observation);

  const verdicts = [
    againstLimit(environment, {
      gate: "errors",
      strata: errors(step.traffic.bins),
      limit: settings.errorRatio,
      minimum: settings.minimumSamples,
      unit: "requests",
      text: (share) => `${percent(share)} of requests failed`,
      bursts: false,
    }),
    ...(
      [
        ["p95", 0.95, settings.p95Milliseconds],
        ["p99", 0.99, settings.p99Milliseconds],
      ] as const
    ).map(([gate, q, milliseconds]) => {
      const value = quantile(latency, q);
      return againstLimit(environment, {
        gate,
        strata: slow(step.traffic.bins, milliseconds),
        limit: 1 - q,
        minimum: settings.minimumSamples,
        unit: "requests",
        text: (share) =>
          `${gate} ${value.toFixed(0)} ms, ${percent(share)} of requests above ${String(milliseconds)} ms`,
        bursts: true,
        milliseconds,
        ...(before === undefined ? {} : { before: above(before, milliseconds) }),
        figures: { milliseconds: value },
      });
    }),
    ...webSockets(environment, candidate, observation),
    ...refusedProbes(environment, candidate, observation),
  ];
  const paired = both.traffic.bins;
  if (paired.length === 0) return verdicts;
  return [
    ...verdicts,
    compared(environment, both.epoch, "errors-compared", "requests failed", errors(paired)),
    compared(
      environment,
      both.epoch,
      "slow-compared",
      `requests took over ${String(settings.p95Milliseconds)} ms`,
      slow(paired, settings.p95Milliseconds),
    ),
    ...refusals(environment, candidate, observation),
  ];
}

/** Round trips against their limit, and refused or dropped connections against the limit of errors. */
function webSockets(environment: Environment, candidate: Slot, observation: Observation): readonly Verdict[] {
  const { settings, stable } = environment;
  const { bins } = observation.step.traffic;
  const limit = observation.roundTripLimit;
  const measured = inServerBins(bins).map((group): Stratum => {
    const share = (slot: Slot): Share => above(added(group.map(({ of }) => of[slot].roundTrips)), limit / 1000);
    return { own: share(candidate), stable: share(stable) };
  });
  const probes = (share: (probed: ProbedRoundTrips) => Share): readonly Stratum[] =>
    observation.roundTrips.map((seconds) => ({ own: share(seconds[candidate]), stable: share(seconds[stable]) }));
  const probed = probes(({ slow: hits, done: trials }) => ({ hits, trials }));
  const refused = bins.map(({ of }): Stratum => {
    const share = ({ refused: hits, upgrades }: Counts): Share => ({ hits, trials: upgrades });
    return { own: share(of[candidate]), stable: share(of[stable]) };
  });
  const common = { minimum: settings.minimumRoundTrips, bursts: true } as const;
  const errors = (lost: readonly Stratum[]): Verdict =>
    againstLimit(environment, {
      ...common,
      gate: "websocket-errors",
      strata: [...refused, ...lost],
      limit: settings.errorRatio,
      unit: "WebSockets and round trips",
      text: (share) => `${percent(share)} of WebSockets and their round trips refused or lost`,
    });
  const alike = refusedAlike(environment, candidate, observation);
  const others = alike && errors(probes(({ lost, done }) => ({ hits: lost, trials: done + lost })));
  return [
    againstLimit(environment, {
      ...common,
      gate: "websocket",
      strata: [...measured, ...probed],
      limit: 0.05,
      unit: "round trips",
      text: (share) => `${percent(share)} of WebSocket round trips above ${String(limit)} ms`,
      milliseconds: limit,
    }),
    others?.outcome === "fail"
      ? others
      : (alike ??
        errors(probes(({ lost, refused: denied, done }) => ({ hits: lost + denied, trials: done + lost + denied })))),
  ];
}

/**
 * Probes' WebSockets that both slots refuse say nothing about the candidate: their token is wrong, or their address is not
 * let in. They do not say that it is good either.
 */
function refusedAlike(
  { settings, stable }: Environment,
  candidate: Slot,
  { roundTrips, refusal = "HTTP" }: Observation,
): Verdict | undefined {
  const share = (slot: Slot): Share =>
    pooled(
      roundTrips.map((seconds) => {
        const { done, lost, refused: hits } = seconds[slot];
        return { hits, trials: done + lost + hits };
      }),
    );
  const [own, control] = [share(candidate), share(stable)];
  if (own.hits === 0 || own.hits < settings.errorRatio * own.trials) return undefined;
  if (control.hits * own.trials * WORSE <= own.hits * control.trials) return undefined;
  return {
    gate: "websocket-errors",
    outcome: "no-data",
    detail: `${stable} refuses the probes' WebSockets as well (${refusal}; ${counts(control)}, ${candidate} ${counts(own)}): look at their token`,
    figures: {
      ...{ samples: own.trials, bad: own.hits, stableSamples: control.trials, stableBad: control.hits },
    },
    shared: true,
  };
}

function inServerBins(bins: readonly Bin[]): readonly (readonly Bin[])[] {
  return [...Map.groupBy(bins, ({ at }) => Math.floor(at / SERVER_BIN_SECONDS)).values()];
}
