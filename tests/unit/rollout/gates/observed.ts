import { LATENCY_BUCKETS_MILLISECONDS } from "../../../../contract/envoy/metrics.ts";
import { judge } from "../../../../operations/rollout/gates/judge.ts";
import type { Observation, ProbedRoundTrips } from "../../../../operations/rollout/gates/observation.ts";
import { DEFAULT_GATES } from "../../../../operations/rollout/gates/settings.ts";
import type { Bin, Counts, Histogram } from "../../../../operations/rollout/gates/traffic-samples.ts";
import { together } from "../../../../operations/rollout/model/verdict.ts";

/** Requests of a few seconds, of which some failed and some took 2 s; the rest took 50 ms. */
export interface Seconds {
  readonly requests: number;
  readonly errors?: number;
  readonly slow?: number;
  readonly webSockets?: number;
  /** WebSockets that were answered with 5xx. */
  readonly webSocketErrors?: number;
  /** WebSockets that were answered with 4xx. */
  readonly webSocketsRefused?: number;
  readonly streams?: number;
  readonly streamErrors?: number;
  /** Requests of users that were answered with 4xx; all are users'. */
  readonly routedRefused?: number;
  /** CPU seconds of a request. */
  readonly cpu?: number;
}

export const NO_TRAFFIC: Seconds = { requests: 0 };

export function histogram(
  bounds: readonly number[],
  fastAt: number,
  slowAt: number,
  all: number,
  slow: number,
): Histogram {
  return [...bounds, Infinity].map((bound) => [bound, bound < fastAt ? 0 : bound < slowAt ? all - slow : all] as const);
}

export function counts({
  requests,
  errors = 0,
  slow = 0,
  webSockets = 0,
  webSocketErrors = 0,
  webSocketsRefused = 0,
  streams = 0,
  streamErrors = 0,
  routedRefused = 0,
  cpu = 0.002,
}: Seconds): Counts {
  return {
    requests,
    errors,
    latency: histogram(LATENCY_BUCKETS_MILLISECONDS, 50, 2500, requests, slow),
    ...{ webSockets, webSocketErrors, webSocketsRefused, streams, streamErrors, routedRefused },
    routed: requests,
    handled: requests,
    cpuSeconds: requests * cpu,
  };
}

/** Green is the candidate. WebSockets are fine unless a case is about them. */
export function bin(own: Seconds, stable: Seconds, index = 0): Bin {
  const sound = { webSockets: 60 };
  return { at: 2 * (index + 1), of: { green: counts({ ...sound, ...own }), blue: counts({ ...sound, ...stable }) } };
}

/** The same few seconds so many times. */
export function bins(times: number, own: Seconds, stable: Seconds): readonly Bin[] {
  return Array.from({ length: times }, (_, index) => bin(own, stable, index));
}

/** Round trips of probes, which are fine unless a case is about them. */
export function probedRoundTrips(
  own: Partial<ProbedRoundTrips> = {},
  stable: Partial<ProbedRoundTrips> = {},
): Observation["roundTrips"] {
  const sound = { done: 12, slow: 0, lost: 0, refused: 0 };
  return Array.from({ length: 6 }, () => ({ green: { ...sound, ...own }, blue: { ...sound, ...stable } }));
}

export function observed(
  step: readonly Bin[],
  options: Partial<Observation> = {},
  both: readonly Bin[] = step,
): Observation {
  const known = { known: ["blue", "green"] as const };
  return {
    step: { traffic: { bins: step, ...known }, epoch: 1 },
    both: { traffic: { bins: both, ...known }, epoch: 1 },
    roundTripLimit: DEFAULT_GATES.webSocketMilliseconds,
    roundTrips: probedRoundTrips(),
    probes: [],
    health: [],
    ...options,
  };
}

export const verdictsOf = (observation: Observation) => judge(DEFAULT_GATES, "green", observation);
export const outcome = (observation: Observation): string => together(verdictsOf(observation));
export const failing = (observation: Observation): string[] =>
  verdictsOf(observation)
    .filter((verdict) => verdict.verdict === "fail")
    .map((verdict) => verdict.gate);
export const verdictOf = (observation: Observation, gate: string) =>
  verdictsOf(observation).find((verdict) => verdict.gate === gate);
