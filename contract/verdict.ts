import type { GateQuery } from "./gates.ts";

/**
 * What one check of a gate found: data, no sentence. `cli/format/gates.ts` words it.
 *
 * `no-data` holds the step; it never passes by waiting.
 */
export interface Verdict {
  /**
   * The name of a custom query, or one of these:
   * - `errors`: share of failed requests. `p95`, `p99`: quantiles of the request time.
   * - `websocket`: share of slow WebSocket round trips. `websocket-errors`: share of refused or lost ones.
   * - `errors-compared`, `slow-compared`: failed and slow requests against the stable slot in the same seconds.
   * - `refusals-compared`, `probes-compared`: answers of 400 to 499 to users and to probes, against the stable slot.
   * - `memory`: growth of the server's memory. `restarts`: restarts of the candidate's container.
   * - `readiness`, `data`: the platform or the router, and Prometheus, can be read.
   */
  readonly gate: string;
  readonly verdict: "pass" | "fail" | "no-data";
  readonly why: VerdictReason;
  /** The measured value, in {@link unit}. Absent if nothing was measured, and for an infinite ratio. */
  readonly figure?: number;
  /** What the figure is compared with, in {@link unit}. */
  readonly limit?: number;
  /** How the figure must compare with the limit for the gate to pass. @default "<" */
  readonly comparison?: GateQuery["comparison"];
  readonly unit?: VerdictUnit;
  readonly sample?: Sample;
  readonly test: StatisticalTest;
  /** p-value of the test; for a sequential test an upper bound of it, valid at every check: min(1, 1/E). */
  readonly p?: number;
  /** Significance level of this check: the test is decided if p is at most this. */
  readonly alpha?: number;
  /** The stable slot has the same problem: a rollback would not help. */
  readonly shared?: true;
  readonly context?: VerdictContext;
}

/** Unit of a figure and its limit: a share is 0 to 1, a ratio is candidate by stable, `value` is a query's own unit. */
export type VerdictUnit = "share" | "ms" | "ratio" | "MB/min" | "restarts" | "value";

/** Trials, and how many of them were bad. */
export interface Trials {
  readonly trials: number;
  readonly bad: number;
}

/** What a test has counted. */
export interface Sample {
  readonly candidate: Trials;
  /** The stable slot in the same seconds. */
  readonly stable: Trials;
  /** Share of bad trials that the limit allows, 0 to 1. Absent for a comparison. */
  readonly allowed?: number;
  /** Milliseconds above which a trial is bad. Absent where it is not about time. */
  readonly thresholdMilliseconds?: number;
  /** Least number of trials for a pass. */
  readonly needed?: number;
}

/** How a gate decides; `gates/statistics.ts` and `gates/trend.ts` have the sources. */
export type StatisticalTest =
  /** Sequential test of a binomial share by an e-process (mixture likelihood ratio, Ville's inequality). */
  | "binomial-e-process"
  /** Sequential conditional binomial test of two slots, stratified by seconds, by an e-process. */
  | "stratified-binomial-e-process"
  /** One-sided test of a trend (Mann 1945, Kendall 1975), with Theil and Sen's slope. */
  | "mann-kendall"
  /** The figure is compared with the limit as it was measured. */
  | "none";

/** Why a gate passes, fails or has no data. */
export type VerdictReason =
  /** pass: the figure keeps the limit. */
  | "within-limit"
  /** pass: the candidate is not significantly worse than the stable slot. */
  | "not-worse-than-stable"
  /** fail: the figure exceeds the limit, with significance if a test is named. */
  | "above-limit"
  /** fail: the figure of a custom query is below its lower limit. */
  | "below-limit"
  /** fail: the candidate is worse than the stable slot in the same seconds. */
  | "worse-than-stable"
  /** fail: the candidate's container has restarted. */
  | "restarted"
  /** fail: the candidate's container is not the one that was deployed. */
  | "replaced"
  /** fail: the candidate's container does not run. */
  | "not-running"
  /** no-data: the figure exceeds the limit, but this may be chance. */
  | "not-proven"
  /** no-data: the candidate seems worse than the stable slot, but this may be chance. */
  | "suspicion"
  /** no-data: a custom query breaks its limit, but not yet in enough checks in a row. */
  | "not-repeated"
  /** no-data: too few samples. */
  | "few-samples"
  /**
   * no-data: the stable slot is over the limit, or close to it, in the same seconds. pass: so it is, with enough sound samples of
   * both slots, and the gate is not about time: what clients send causes it, and a rollback would not end it.
   */
  | "shared-with-stable"
  /** no-data: the stable slot was over the limit when it had all users. */
  | "stable-was-slow"
  /** no-data: the stable slot is slower than it was with all users. */
  | "stable-is-slower"
  /** no-data: the candidate lacks processor time. */
  | "cpu-contention"
  /** no-data: both slots refuse the probes' WebSockets, so their token or their address is at fault. */
  | "probes-refused-by-both"
  /** no-data: Prometheus has not scraped the router twice, or not lately. */
  | "not-scraped"
  /** no-data: a custom query yields nothing for the candidate. */
  | "no-value"
  /** no-data: a custom query yields nothing for the stable slot. */
  | "no-stable-value"
  /** no-data: Prometheus does not answer. */
  | "prometheus-unavailable"
  /** no-data: Prometheus refuses a query, or it yields another type. */
  | "query-refused"
  /** no-data: the history of rollouts cannot be read. */
  | "history-unavailable"
  /** no-data: the platform or the router does not answer. */
  | "status-unavailable";

/** Facts about a verdict that only some gates have. */
export interface VerdictContext {
  /** What another program said: Prometheus, Docker, Kubernetes, the router. */
  readonly message?: string;
  /** Prometheus' address. */
  readonly url?: string;
  /** HTTP status with which probes are refused. */
  readonly status?: number;
  /** A custom query: the stable slot's value, and how many times it the candidate may have. */
  readonly stableFigure?: number;
  readonly stableRatio?: number;
  /** Checks in a row that broke the limit, and how many of them fail the gate. */
  readonly checks?: number;
  readonly failingChecks?: number;
  /** Seconds of samples that are needed. */
  readonly neededSeconds?: number;
  /** The stable slot with all users, before the rollout: trials above the limit, and its p95. */
  readonly before?: Trials;
  readonly beforeP95Milliseconds?: number;
  /** The stable slot's requests on this step that are slower than twice that p95, and that bound. */
  readonly slower?: Trials;
  readonly slowerThanMilliseconds?: number;
  /** Health checks of the candidate, bad ones above the limit. */
  readonly healthChecks?: Trials;
  /** CPU time of a request on the candidate, as a multiple of the stable slot's. */
  readonly cpuRatio?: number;
  /** Resident memory in MB, and its growth in MB per minute. */
  readonly megabytes?: number;
  readonly earlyGrowth?: number;
  readonly stableGrowth?: number;
}
