import type { GateQuery } from "../../../contract/gates.ts";
import { LATENCY_BUCKETS_MILLISECONDS } from "../../../contract/envoy/metrics.ts";
import { UserError } from "../../../contract/errors.ts";
import { LATENCY_BUCKETS_SECONDS } from "../../../contract/server.ts";

/** What a candidate must keep to. One object for every platform: {@link gateSettings} makes it from a stack's settings. */
export interface GateSettings {
  /** Share of requests answered with 500 or above, below which the gate passes. @default 0.01 */
  readonly errorRatio: number;
  /** Bounds of the router's histogram, in milliseconds. @default 500 */
  readonly p95Milliseconds: number;
  /** @default 1000 */
  readonly p99Milliseconds: number;
  /** p95 of WebSockets' round trips; a bound of the server's histogram, in milliseconds. @default 100 */
  readonly webSocketMilliseconds: number;
  /**
   * What the probes send on a WebSocket besides a ping frame; a candidate must answer it where the stable slot does.
   * Empty: nothing. @default {"type":"ping"}
   */
  readonly webSocketMessage: string;
  /**
   * Requests of the candidate within a step, below which there is no data. With none bad among 300, the true share is
   * below 1 % with 95 % confidence ("rule of three": J. Hanley, A. Lippman-Hand, JAMA 249, 1983). @default 300
   */
  readonly minimumSamples: number;
  /** Round trips of WebSockets of the candidate likewise: none among 60 means that less than 5 % are bad. @default 60 */
  readonly minimumRoundTrips: number;
  /** Seconds beyond a step's hold without a pass, after which the rollout rolls back. @default 60 */
  readonly noDataSeconds: number;
  /** Seconds that are added to them while the stable slot has the same trouble. @default 600 */
  readonly sharedTroubleSeconds: number;
  /** Seconds between two looks. @default 2 */
  readonly lookSeconds: number;
  /** Chance per step, over all its looks, of failing on a limit a candidate that sits exactly on it. @default 0.01 */
  readonly significance: number;
  /** Chance per rollout, over all its looks, of failing a candidate that is as good as the stable slot. @default 0.001 */
  readonly comparisonSignificance: number;
  /** Most probes per second and slot that top up thin traffic; 0 switches them off. @default 50 */
  readonly probesPerSecond: number;
  /** Restarts of the candidate's container that are forgiven. @default 0 */
  readonly restarts: number;
  /** Growth of a server's memory beyond that of the stable slot, MB per minute; 0 leaves the gate out. @default 30 */
  readonly memoryGrowth: number;
  /** Gates of the user's own. @default none */
  readonly queries: readonly GateQuery[];
}

export const DEFAULT_GATES: GateSettings = {
  errorRatio: 0.01,
  p95Milliseconds: 500,
  p99Milliseconds: 1000,
  webSocketMilliseconds: 100,
  webSocketMessage: '{"type":"ping"}',
  minimumSamples: 300,
  minimumRoundTrips: 60,
  noDataSeconds: 60,
  sharedTroubleSeconds: 600,
  lookSeconds: 2,
  significance: 0.01,
  comparisonSignificance: 0.001,
  probesPerSecond: 50,
  restarts: 0,
  memoryGrowth: 30,
  queries: [],
};

/** The settings of a stack that its gates are made from, on every platform; `stacks/settings` has the checks. */
export interface GateKeys {
  readonly gateErrorRatio: number;
  readonly gateP95: number;
  readonly gateP99: number;
  readonly gateWebSocket: number;
  readonly gateWebSocketMessage: string;
  readonly gateMinimumSamples: number;
  readonly gateNoDataSeconds: number;
  readonly gateProbes: number;
  readonly gateRestarts: number;
  readonly gateMemoryGrowth: number;
  readonly gateQueries: readonly GateQuery[];
}

/** The gates of a stack. */
export function gateSettings(keys: GateKeys): GateSettings {
  return {
    ...DEFAULT_GATES,
    errorRatio: keys.gateErrorRatio,
    p95Milliseconds: keys.gateP95,
    p99Milliseconds: keys.gateP99,
    webSocketMilliseconds: keys.gateWebSocket,
    webSocketMessage: keys.gateWebSocketMessage,
    minimumSamples: keys.gateMinimumSamples,
    noDataSeconds: keys.gateNoDataSeconds,
    probesPerSecond: keys.gateProbes,
    restarts: keys.gateRestarts,
    memoryGrowth: keys.gateMemoryGrowth,
    queries: keys.gateQueries,
  };
}

/** A gate's answer. `no-data` holds the step; it never passes by waiting. */
export interface Verdict {
  /**
   * `errors`, `p95`, `p99`, `errors-compared`, `slow-compared`, `refusals-compared`, `probes-compared`, `websocket`,
   * `websocket-errors`, `memory`, `restarts`, or a query's name.
   */
  readonly gate: string;
  readonly outcome: "pass" | "fail" | "no-data";
  /** A sentence with the numbers. */
  readonly detail: string;
  readonly figures: Readonly<Record<string, number>>;
  /** The stable slot has the same trouble: a rollback would fix nothing. */
  readonly shared?: true;
}

/**
 * Refuses settings that the histograms cannot answer.
 *
 * @throws UserError
 */
export function checkGates(settings: GateSettings): void {
  const router: readonly number[] = LATENCY_BUCKETS_MILLISECONDS;
  const server: readonly number[] = LATENCY_BUCKETS_SECONDS.map((seconds) => seconds * 1000);
  const limits = [
    ["p95Milliseconds", router, "the router's"],
    ["p99Milliseconds", router, "the router's"],
    ["webSocketMilliseconds", server, "the server's"],
  ] as const;
  for (const [key, bounds, whose] of limits) {
    if (bounds.includes(settings[key])) continue;
    throw new UserError(
      "failed",
      `gates.${key}`,
      `${String(settings[key])} ms is no bound of ${whose} histogram`,
      `use one of ${bounds.join(", ")}`,
    );
  }
  if (!(settings.errorRatio > 0 && settings.errorRatio < 1)) {
    throw new UserError("failed", "gates.errorRatio", `${String(settings.errorRatio)} is no share`, "use 0.01 for 1 %");
  }
}

/** What all verdicts of a look say together: any failure fails, all must pass. */
export function together(verdicts: readonly Verdict[]): Verdict["outcome"] {
  if (verdicts.some((verdict) => verdict.outcome === "fail")) return "fail";
  return verdicts.length > 0 && verdicts.every((verdict) => verdict.outcome === "pass") ? "pass" : "no-data";
}
