import { typed, type Json } from "../../../contract/envoy/json.ts";
import {
  clusterName,
  isWebSocket,
  metricsClusterName,
  slotHost,
  type ClusterKind,
} from "../../../contract/envoy/names.ts";
import { QUEUEING, UPSTREAM_IDLE_SECONDS } from "../../../contract/envoy/queueing.ts";
import { HTTP_PORT, SERVER_PATHS } from "../../../contract/server.ts";
import type { Slot } from "../../../contract/slots.ts";
import type { EnvoyOptions } from "./options.ts";
import { address } from "./parts.ts";

const HEALTH_CHECK: Json = {
  // A busy server answers late: three late answers in a row, seven seconds, make a host unhealthy.
  timeout: "2s",
  interval: "1s",
  no_traffic_interval: "1s",
  no_traffic_healthy_interval: "1s",
  unhealthy_interval: "1s",
  unhealthy_threshold: 3,
  healthy_threshold: 1,
  reuse_connection: true,
  http_health_check: { path: SERVER_PATHS.ready },
};

/** A new container has a new address, so all addresses of the name are resolved every second. */
const BY_NAME: Json = {
  name: "envoy.clusters.dns",
  typed_config: typed("envoy.extensions.clusters.dns.v3.DnsCluster", {
    dns_refresh_rate: "1s",
    dns_failure_refresh_rate: { base_interval: "1s", max_interval: "2s" },
    respect_dns_ttl: false,
    dns_lookup_family: "V4_ONLY",
    all_addresses_in_single_endpoint: false,
  }),
};

/** The cluster of a slot's metrics, for Prometheus. */
export function metricsCluster(slot: Slot, options: EnvoyOptions): Json {
  const name = metricsClusterName(slot);
  const to = options.upstream?.(slot, "plain") ?? { host: slotHost(slot), port: HTTP_PORT };
  return {
    name,
    cluster_type: BY_NAME,
    connect_timeout: `${String(QUEUEING.connectSeconds)}s`,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(to.host, to.port) } }] }],
    },
  };
}

/** The cluster of one kind of a slot's requests. */
export function slotCluster(slot: Slot, kind: ClusterKind, options: EnvoyOptions): Json {
  const port = isWebSocket(kind) ? options.webSocketPort : HTTP_PORT;
  const to = options.upstream?.(slot, kind) ?? { host: slotHost(slot), port };
  const http = options.upstream?.(slot, "plain") ?? { host: to.host, port: HTTP_PORT };
  return {
    name: clusterName(slot, kind),
    cluster_type: BY_NAME,
    // An address that the name no longer resolves to belongs to a deleted container, regardless of its last health check.
    ignore_health_on_host_removal: true,
    connect_timeout: `${String(QUEUEING.connectSeconds)}s`,
    load_assignment: {
      cluster_name: clusterName(slot, kind),
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: {
                address: address(to.host, to.port),
                // Readiness covers both ports: the WebSocket port has no separate check.
                ...(http.port === to.port ? {} : { health_check_config: { port_value: http.port } }),
              },
            },
          ],
        },
      ],
    },
    // The other kinds lead to the same server, and their requests get its answer or none.
    ...(kind === "plain" || kind === "stream" || kind === "websocket" ? { health_checks: [HEALTH_CHECK] } : {}),
    // The share of healthy hosts below which Envoy tries all hosts. A slot has one host here: a try is better than a
    // certain 503, and whether a slot may take traffic is the controller's decision.
    common_lb_config: { healthy_panic_threshold: { value: 50 } },
    circuit_breakers: {
      thresholds: [
        {
          priority: "DEFAULT",
          max_connections: QUEUEING.ceiling,
          max_pending_requests: QUEUEING.ceiling,
          max_requests: QUEUEING.ceiling,
          max_retries: QUEUEING.ceiling,
        },
      ],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        {
          common_http_protocol_options: { idle_timeout: `${String(UPSTREAM_IDLE_SECONDS)}s` },
          explicit_http_config: { http_protocol_options: {} },
        },
      ),
    },
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 60, keepalive_interval: 15, keepalive_probes: 4 } },
  };
}
