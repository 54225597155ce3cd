import { SLOTS, type Slot } from "../slots.ts";
import { CLUSTER_KINDS } from "./names.ts";

/**
 * The router's series, their relabelling in Prometheus, and their names in gates and dashboards.
 *
 * Envoy creates a counter at its first increment: a slot that never failed has no series of class 5, and a series may
 * begin inside a window. A query must take "absent" for 0 while {@link ENVOY_METRICS.requestsTotal}
 * of the same cluster is there, and for "no data" otherwise.
 */
export const ENVOY_METRICS = {
  /** Counter, from the start of the process; every try to a slot. */
  requestsTotal: "envoy_cluster_upstream_rq_total",
  /** Counter; label {@link ENVOY_LABELS.responseClass}: "2" to "5". A slot that cannot be reached counts as "5". */
  requests: "envoy_cluster_upstream_rq_xx",
  /** Histogram, in milliseconds; buckets {@link LATENCY_BUCKETS_MILLISECONDS}. */
  requestTime: "envoy_cluster_upstream_rq_time",
  /** Gauge: requests in flight. For the kinds `stream` and `websocket`: open streams and WebSockets. */
  active: "envoy_cluster_upstream_rq_active",
  /** Gauge: hosts that pass the router's own check of /ready. */
  healthyHosts: "envoy_cluster_membership_healthy",
  /**
   * Of a route that answers the sessions of an evicted slot, after {@link ROUTE_RELABELLING}: present while the table in
   * force has such a route, even without requests; labels {@link ENVOY_LABELS.slot} and
   * {@link ENVOY_LABELS.eviction}. Its value has no meaning.
   */
  eviction: "envoy_vhost_route_upstream_rq_total",
} as const;

/** Labels of {@link ENVOY_METRICS} after {@link ENVOY_METRIC_RELABELLING}. */
export const ENVOY_LABELS = {
  /** `blue` or `green`. */
  slot: "slot",
  /** A `ClusterKind`. Service levels are computed from `plain` and `session`. */
  kind: "kind",
  responseClass: "envoy_response_code_class",
  /** One of {@link EVICTIONS}. */
  eviction: "eviction",
} as const;

/** Upper bounds of {@link ENVOY_METRICS.requestTime}. A latency gate must name one of them. */
export const LATENCY_BUCKETS_MILLISECONDS = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000,
] as const;

/** Seconds between two scrapes of router and server. Gates need several within a step, so this is shorter than elsewhere. */
export const ENVOY_SCRAPE_INTERVAL_SECONDS = 2;

/** One `metric_relabel_configs` entry of Prometheus that sets a label. */
export interface RelabelRule {
  readonly source_labels: readonly string[];
  readonly regex: string;
  readonly target_label: string;
  readonly replacement: string;
}

/** One that leaves samples out. */
interface DropRule {
  readonly source_labels: readonly string[];
  readonly regex: string;
  readonly action: "drop";
}

/** The kinds that a cluster's name has. */
const NAMED_KINDS = CLUSTER_KINDS.filter((kind) => kind !== "plain").join("|");

/** Turns the name of Envoy's cluster into the labels `slot` and `kind`; goes into the router's scrape job. */
export const ENVOY_METRIC_RELABELLING: readonly RelabelRule[] = [
  rule(`(blue|green)(?:-(?:${NAMED_KINDS}))?`, "slot", "$1"),
  rule("blue|green", "kind", "plain"),
  rule(`(?:blue|green)-(${NAMED_KINDS})`, "kind", "$1"),
];

/** What a table says of a slot without users: only that its sessions are evicted, or also that it was emptied intentionally. */
export const EVICTIONS = ["evicted", "emptied"] as const;

/** One of {@link EVICTIONS}. */
export type Eviction = (typeof EVICTIONS)[number];

/** Name, or its end, of the statistics of a route that answers the sessions of an evicted slot. */
export function evictionStat(eviction: Eviction, slot: Slot): string {
  return `${eviction}-${slot}`;
}

/**
 * Keeps one series for each evicted slot, {@link ENVOY_METRICS.eviction}; goes into the router's scrape job. The names
 * of route and virtual host go: they carry the table's generation, and every table would be a new series.
 */
export const ROUTE_RELABELLING: readonly (RelabelRule | DropRule)[] = [
  ...[ENVOY_LABELS.eviction, ENVOY_LABELS.slot].map((label, index) => ({
    source_labels: ["__name__", "envoy_route"],
    regex: `${ENVOY_METRICS.eviction};(?:.*-)?(${EVICTIONS.join("|")})-(${SLOTS.join("|")})`,
    target_label: label,
    replacement: `$${String(index + 1)}`,
  })),
  { source_labels: ["__name__", ENVOY_LABELS.eviction], regex: "envoy_vhost_route_[^;]*;", action: "drop" },
  ...["envoy_route", "envoy_virtual_host"].map((label) => ({
    source_labels: ["__name__"],
    regex: ENVOY_METRICS.eviction,
    target_label: label,
    replacement: "",
  })),
];

function rule(regex: string, label: string, replacement: string): RelabelRule {
  return { source_labels: ["envoy_cluster_name"], regex, target_label: label, replacement };
}
