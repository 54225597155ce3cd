import type { GateQuery } from "../../../contract/gates.ts";
import { LATENCY_BUCKETS_MILLISECONDS } from "../../../contract/envoy/metrics.ts";
import { UserError } from "../../../contract/errors.ts";
import { LATENCY_BUCKETS_SECONDS } from "../../../contract/server.ts";

/** Limits that a candidate must keep. {@link gateSettings} makes them from a stack's settings, on every platform. */
export interface GateSettings {
  /** Share of requests answered with 500 or above, 0 to 1; the gate passes below it. @default 0.01 */
  readonly errorRatio: number;
  /** A bound of the router's histogram. @default 500 */
  readonly p95Milliseconds: number;
  /** @default 1000 */
  readonly p99Milliseconds: number;
  /** p95 of WebSocket round trips; a bound of the server's histogram. @default 100 */
  readonly webSocketMilliseconds: number;
  /**
   * Message that the probes send on a WebSocket next to a ping frame. The candidate must answer it if the stable slot
   * does. Empty: none. @default {"type":"ping"}
   */
  readonly webSocketMessage: string;
  /**
   * Least number of the candidate's requests in a step. With none bad among 300, the true share is below 1 % with 95 %
   * confidence ("rule of three": J. Hanley, A. Lippman-Hand, JAMA 249, 1983). @default 300
   */
  readonly minimumSamples: number;
  /** The same for its WebSocket round trips: with none bad among 60, less than 5 % are bad. @default 60 */
  readonly minimumRoundTrips: number;
  /** Seconds after a step's hold in which the gates must pass; then the rollout rolls back. @default 60 */
  readonly noDataSeconds: number;
  /** Most seconds that are added to them while the stable slot has the same problem. @default 600 */
  readonly sharedProblemSeconds: number;
  /** Seconds between two checks. @default 2 */
  readonly checkSeconds: number;
  /** Chance per step, over all its checks, that a limit fails a candidate that sits exactly on it. @default 0.01 */
  readonly significance: number;
  /** Chance per rollout, over all its checks, that a comparison fails a candidate as good as the stable slot. @default 0.001 */
  readonly comparisonSignificance: number;
  /** Most probes per second and slot that top up thin traffic; 0: no probes. @default 50 */
  readonly probesPerSecond: number;
  /** Allowed restarts of the candidate's container. @default 0 */
  readonly restarts: number;
  /** Growth of a server's memory, in MB per minute more than the stable slot's; 0: no such gate. @default 30 */
  readonly memoryGrowth: number;
  /** Custom gates. @default none */
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
  sharedProblemSeconds: 600,
  checkSeconds: 2,
  significance: 0.01,
  comparisonSignificance: 0.001,
  probesPerSecond: 50,
  restarts: 0,
  memoryGrowth: 30,
  queries: [],
};

/** Settings of a stack that its gates are made from; `stacks/settings` checks them. */
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

/**
 * Checks that the histograms can answer the settings.
 *
 * @throws UserError if a limit is not a bound of its histogram, or the error ratio is not between 0 and 1.
 */
export function checkGates(settings: GateSettings): void {
  const router: readonly number[] = LATENCY_BUCKETS_MILLISECONDS;
  const server: readonly number[] = LATENCY_BUCKETS_SECONDS.map((seconds) => seconds * 1000);
  const limits = [
    ["p95Milliseconds", router, "router's"],
    ["p99Milliseconds", router, "router's"],
    ["webSocketMilliseconds", server, "server's"],
  ] as const;
  for (const [key, bounds, whose] of limits) {
    if (bounds.includes(settings[key])) continue;
    throw new UserError(
      "invalid-setting",
      `gates.${key}`,
      `${String(settings[key])} ms is not a bound of the ${whose} histogram`,
      `use one of ${bounds.join(", ")}`,
    );
  }
  if (!(settings.errorRatio > 0 && settings.errorRatio < 1)) {
    throw new UserError(
      "invalid-setting",
      "gates.errorRatio",
      `${String(settings.errorRatio)} is not between 0 and 1`,
      "use 0.01 for 1 %",
    );
  }
}
