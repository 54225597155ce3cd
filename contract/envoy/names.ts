import { join } from "node:path";
import { SLOTS, type Slot } from "../slots.ts";

/**
 * What a cluster of the router carries. Each has its own series, so that gates see what they may judge alone: requests that the
 * weights distribute, and probes. A stream that lives for hours would otherwise count as a request of hours, and a client that
 * chooses its slot, by a session or a tester's token, could choose the outcome of a gate.
 */
export const CLUSTER_KINDS = [
  "plain",
  "stream",
  "websocket",
  "session",
  "probe",
  "probe-websocket",
  "tester",
  "tester-websocket",
] as const;

/**
 * `plain`: requests to the HTTP port. `stream`: the dashboard's WebSocket and MCP's event stream, on the HTTP port.
 * `websocket`: the WebSocket port. `session`: requests of an MCP session, which stays on its slot. `probe` and `tester`: what
 * comes with such a token (`contract/envoy/access.ts`).
 */
export type ClusterKind = (typeof CLUSTER_KINDS)[number];

/**
 * Kinds that say how a slot is, for requests that no client can steer. A slot without weight has had probes alone, and Envoy has
 * no series of a cluster before its first request.
 */
export const JUDGED_KINDS: readonly ClusterKind[] = ["plain", "probe"];

/** Name of an Envoy cluster: `blue`, `blue-stream`, `blue-probe-websocket`, and the same for green. */
export function clusterName(slot: Slot, kind: ClusterKind = "plain"): string {
  return kind === "plain" ? slot : `${slot}-${kind}`;
}

/** Whether a cluster leads to the WebSocket port. */
export function isWebSocket(kind: ClusterKind): boolean {
  return kind.endsWith("websocket");
}

/** Slot and kind of an Envoy cluster; undefined for a cluster that carries no users, such as the admin one. */
export function parseClusterName(name: string): { readonly slot: Slot; readonly kind: ClusterKind } | undefined {
  return CLUSTERS.find(({ slot, kind }) => clusterName(slot, kind) === name);
}

/** Every pair of slot and kind, in a fixed order. */
export const CLUSTERS: readonly { readonly slot: Slot; readonly kind: ClusterKind }[] = SLOTS.flatMap((slot) =>
  CLUSTER_KINDS.map((kind) => ({ slot, kind })),
);

/** Name of a slot's container on the instance's network. */
export function slotHost(slot: Slot): string {
  return `server-${slot}`;
}

/** Name of the one route configuration, which both listeners share, so that one rename changes both at once. */
export const ROUTE_CONFIGURATION = "exai";

/** Directory on the host that the local router has its route table from, below an instance's home. */
export function hostRoutesDirectory(home: string): string {
  return join(home, "routes");
}

/** Directory inside the router's container that holds {@link ROUTES_FILE}; mounted as a directory, read-only. */
export const ROUTES_DIRECTORY = "/etc/exai/routes";

/** Name of the route table's file; replaced by rename, never written in place. */
export const ROUTES_FILE = "routes.json";

/** Path of the bootstrap configuration inside the router's container. */
export const BOOTSTRAP_PATH = "/etc/exai/router/bootstrap.json";

/** Port inside the container of the read-only view of Envoy's administration: read-back and metrics. */
export const OBSERVE_PORT = 9901;

/** Port inside the container by which slots reach the hosts that the settings allow: a forward proxy. */
export const EGRESS_PORT = 3128;

/** Port of the administration interface itself, on the container's loopback alone. */
export const ADMIN_PORT = 9902;

/** Header of the read-only view's answers with the name of the router's instance, lower-case as Node gives it. */
export const INSTANCE_HEADER = "x-exai-instance";

/** Paths of the administration interface that the read-only view passes on, for GET alone. */
export const OBSERVE_PATHS = {
  ready: "/ready",
  metrics: "/stats/prometheus",
  configDump: "/config_dump",
  clusters: "/clusters",
  listeners: "/listeners",
} as const;

/** Path of the read-only view that passes on a slot's metrics: Prometheus has no network with a slot. */
export function slotMetricsPath(slot: Slot): string {
  return `/slots/${slot}/metrics`;
}

/** Name of the Envoy cluster behind {@link slotMetricsPath}; its requests do not come from users and count in no service level. */
export function metricsClusterName(slot: Slot): string {
  return `${slot}-metrics`;
}
