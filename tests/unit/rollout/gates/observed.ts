import { LATENCY_BUCKETS_MILLISECONDS } from "../../../../contract/envoy/metrics.ts";
import { LATENCY_BUCKETS_SECONDS } from "../../../../contract/server.ts";
import { judge } from "../../../../operations/rollout/gates/judge.ts";
import type { Observation } from "../../../../operations/rollout/gates/observation.ts";
import { DEFAULT_GATES } from "../../../../operations/rollout/gates/settings.ts";
import type { Bin, Counts, Histogram } from "../../../../operations/rollout/gates/traffic-samples.ts";
import { together } from "../../../../operations/rollout/model/verdict.ts";

/** Requests of a few seconds, of which some failed and some took 2 s; the rest took 50 ms. */
export interface Seconds {
  readonly requests: number;
  readonly errors?: number;
  readonly slow?: number;
  /** Round trips of WebSockets that the server measured, and those of them that took 300 ms. */
  readonly roundTrips?: number;
  readonly late?: number;
  /** WebSockets that were answered with 5xx. */
  readonly webSocketErrors?: number;
  /** WebSockets that were answered with 4xx. */
  readonly webSocketsRefused?: number;
  readonly streams?: number;
  readonly streamErrors?: number;
  /** Requests outside of MCP that the server answered with 4xx; it counted all of them. */
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
  roundTrips = 0,
  late = 0,
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
    ...{ webSockets: roundTrips, webSocketErrors, webSocketsRefused, streams, streamErrors, routedRefused },
    routed: requests,
    roundTrips: histogram(LATENCY_BUCKETS_SECONDS, 0.01, 0.5, roundTrips, late),
    cpuSeconds: requests * cpu,
  };
}

/** Green is the candidate. WebSockets are fine unless a case is about them. */
export function bin(own: Seconds, stable: Seconds, index = 0): Bin {
  const sound = { roundTrips: 60 };
  return { at: 2 * (index + 1), of: { green: counts({ ...sound, ...own }), blue: counts({ ...sound, ...stable }) } };
}

/** The same few seconds so many times. */
export function bins(times: number, own: Seconds, stable: Seconds): readonly Bin[] {
  return Array.from({ length: times }, (_, index) => bin(own, stable, index));
}

export function observed(
  step: readonly Bin[],
  options: Partial<Observation> = {},
  both: readonly Bin[] = step,
): Observation {
  const slots = ["blue", "green"] as const;
  const known = { known: slots, counting: slots };
  return {
    step: { traffic: { bins: step, ...known }, epoch: 1 },
    both: { traffic: { bins: both, ...known }, epoch: 1, weight: 0.5 },
    roundTripLimit: DEFAULT_GATES.webSocketMilliseconds,
    roundTrips: [],
    probes: [],
    probesRefused: false,
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
