import { ENVOY_LABELS, ENVOY_METRICS } from "../../contract/envoy/metrics.ts";
import type { ClusterKind } from "../../contract/envoy/names.ts";
import { selector } from "./promql.ts";

/**
 * Service levels are computed from users' requests, those of MCP sessions included. A stream or WebSocket lasts as long as its
 * client likes, and testers and probes are not users.
 */
const REQUESTS: readonly ClusterKind[] = ["plain", "session"];

/** One of Envoy's series for the users' requests to both slots. */
export function plainRequests(metric: string, ...matchers: readonly string[]): string {
  return selector(metric, `${ENVOY_LABELS.kind}=~"${REQUESTS.join("|")}"`, `${ENVOY_LABELS.slot}=~".+"`, ...matchers);
}

/** Matcher of the answers of one class, e.g. "5". */
export function answerClass(responseClass: string): string {
  return `${ENVOY_LABELS.responseClass}="${responseClass}"`;
}

/** Envoy's histogram of request times as Prometheus names its buckets; bounds in milliseconds. */
export const REQUEST_TIME_BUCKET = `${ENVOY_METRICS.requestTime}_bucket`;
