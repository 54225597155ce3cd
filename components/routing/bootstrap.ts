import { HEADERS, HTTP_PORT, SERVER_PATHS } from "../../contract/server.ts";
import { typed, type Json } from "../../contract/envoy/json.ts";
import { LATENCY_BUCKETS_MILLISECONDS } from "../../contract/envoy/metrics.ts";
import {
  ADMIN_PORT,
  clusterName,
  CLUSTERS,
  INSTANCE_HEADER,
  OBSERVE_PATHS,
  OBSERVE_PORT,
  ROUTE_CONFIGURATION,
  ROUTES_DIRECTORY,
  ROUTES_FILE,
  slotHost,
  type ClusterKind,
} from "../../contract/envoy/names.ts";
import { LISTENER_HEADER, SESSION_FILTER, SESSION_SCRIPT } from "../../contract/envoy/routes.ts";
import type { Slot } from "../../contract/slots.ts";

/** Options of a router. The defaults are those of the local stack's container. */
export interface EnvoyOptions {
  /** Port of HTTP, MCP and the dashboard's WebSocket. @default 8080 */
  readonly httpPort?: number;
  /** EXAI_WS_PORT: the same on the router and on the servers. */
  readonly webSocketPort: number;
  /** @default 9901 */
  readonly observePort?: number;
  /** Name of the instance, which the responses of the read-only listener carry. Absent: no name. */
  readonly instance?: string;
  /** @default 9902 */
  readonly adminPort?: number;
  /** Directory of the route table's file as Envoy sees it. @default "/etc/exai/routes" */
  readonly routesDirectory?: string;
  /** Writes a JSON line per request to standard output. @default false */
  readonly accessLog?: boolean;
  /** Where a slot listens. @default its name on the network, port 8080 and the WebSocket port */
  readonly upstream?: (slot: Slot, kind: ClusterKind) => { readonly host: string; readonly port: number };
}

/**
 * Envoy's bootstrap configuration: two listeners for users, one read-only listener for the read-back and Prometheus,
 * and static clusters for both slots, which exist before any weight goes from 0 to n.
 */
export function envoyBootstrap(options: EnvoyOptions): Json {
  const adminPort = options.adminPort ?? ADMIN_PORT;
  return {
    node: { id: "exai-router", cluster: "exai" },
    admin: { address: address("127.0.0.1", adminPort) },
    static_resources: {
      listeners: [
        userListener("http", options.httpPort ?? HTTP_PORT, options),
        userListener("websocket", options.webSocketPort, options),
        observeListener(options.observePort ?? OBSERVE_PORT, options.instance),
      ],
      clusters: [...CLUSTERS.map(({ slot, kind }) => slotCluster(slot, kind, options)), adminCluster(adminPort)],
    },
    // Histograms become visible at each flush, and gates read them every few seconds.
    stats_flush_interval: "1s",
    stats_config: {
      histogram_bucket_settings: [
        { match: { suffix: "upstream_rq_time" }, buckets: [...LATENCY_BUCKETS_MILLISECONDS] },
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: typed(
            "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            { max_active_downstream_connections: 50_000 },
          ),
        },
      ],
    },
  };
}

function address(host: string, port: number): Json {
  return { socket_address: { address: host, port_value: port } };
}

/** Keepalive detects dead peers of idle WebSockets. */
const SOCKET_OPTIONS: Json = [
  { description: "SO_KEEPALIVE", level: 1, name: 9, int_value: 1, state: "STATE_PREBIND" },
  { description: "TCP_KEEPIDLE", level: 6, name: 4, int_value: 60, state: "STATE_PREBIND" },
  { description: "TCP_KEEPINTVL", level: 6, name: 5, int_value: 15, state: "STATE_PREBIND" },
  { description: "TCP_KEEPCNT", level: 6, name: 6, int_value: 4, state: "STATE_PREBIND" },
];

function userListener(name: "http" | "websocket", port: number, options: EnvoyOptions): Json {
  const directory = options.routesDirectory ?? ROUTES_DIRECTORY;
  return {
    name,
    address: address("0.0.0.0", port),
    socket_options: SOCKET_OPTIONS,
    filter_chains: [
      {
        filters: [
          connectionManager({
            stat_prefix: name,
            // The directory is watched, not the file: a mounted file would keep its old inode after a rename.
            rds: {
              route_config_name: ROUTE_CONFIGURATION,
              config_source: {
                resource_api_version: "V3",
                path_config_source: { path: `${directory}/${ROUTES_FILE}`, watched_directory: { path: directory } },
              },
            },
            upgrade_configs: [{ upgrade_type: "websocket" }],
            early_header_mutation_extensions: [
              {
                name: "envoy.http.early_header_mutation.header_mutation",
                typed_config: typed("envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", {
                  mutations: [
                    {
                      append: {
                        header: { key: LISTENER_HEADER, value: name },
                        append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
                      },
                    },
                  ],
                }),
              },
            ],
            use_remote_address: true,
            normalize_path: true,
            merge_slashes: true,
            server_header_transformation: "PASS_THROUGH",
            // A stream without traffic lives as long as its peers; routes of plain requests have their own time-out.
            stream_idle_timeout: "0s",
            request_headers_timeout: "10s",
            common_http_protocol_options: { idle_timeout: "300s" },
            ...(options.accessLog === true ? { access_log: [accessLog()] } : {}),
            http_filters: [sessionFilter(), routerFilter()],
          }),
        ],
      },
    ],
  };
}

function connectionManager(config: Readonly<Record<string, Json>>): Json {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", config),
  };
}

function routerFilter(): Json {
  return {
    name: "envoy.filters.http.router",
    typed_config: typed("envoy.extensions.filters.http.router.v3.Router", { suppress_envoy_headers: true }),
  };
}

/** Removes `blue.` or `green.` from the session identifier, so that the server sees the one that it issued. */
function sessionFilter(): Json {
  const code = `
function envoy_on_request(handle)
  local headers = handle:headers()
  local session = headers:get("${HEADERS.mcpSessionId}")
  if session ~= nil then
    local own = string.match(session, "^blue%.(.+)$") or string.match(session, "^green%.(.+)$")
    if own ~= nil then headers:replace("${HEADERS.mcpSessionId}", own) end
  end
end
`;
  return {
    name: SESSION_FILTER,
    disabled: true, // only MCP's routes pay for it
    typed_config: typed("envoy.extensions.filters.http.lua.v3.Lua", {
      source_codes: { [SESSION_SCRIPT]: { inline_string: code } },
      // Otherwise the shortened identifier would be matched again, and half of the sessions would change their slot.
      clear_route_cache: false,
    }),
  };
}

function slotCluster(slot: Slot, kind: ClusterKind, options: EnvoyOptions): Json {
  const port = kind === "websocket" ? options.webSocketPort : HTTP_PORT;
  const to = options.upstream?.(slot, kind) ?? { host: slotHost(slot), port };
  const http = options.upstream?.(slot, "plain") ?? { host: to.host, port: HTTP_PORT };
  return {
    name: clusterName(slot, kind),
    // A new container has a new address, so all addresses of the name are resolved every second.
    cluster_type: {
      name: "envoy.clusters.dns",
      typed_config: typed("envoy.extensions.clusters.dns.v3.DnsCluster", {
        dns_refresh_rate: "1s",
        dns_failure_refresh_rate: { base_interval: "1s", max_interval: "2s" },
        respect_dns_ttl: false,
        dns_lookup_family: "V4_ONLY",
        all_addresses_in_single_endpoint: false,
      }),
    },
    // An address that the name no longer resolves to belongs to a deleted container, regardless of its last health check.
    ignore_health_on_host_removal: true,
    connect_timeout: "2s",
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
    health_checks: [
      {
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
      },
    ],
    // The share of healthy hosts below which Envoy tries all hosts. A slot has one host here: a try is better than a
    // certain 503, and whether a slot may take traffic is the controller's decision.
    common_lb_config: { healthy_panic_threshold: { value: 50 } },
    circuit_breakers: {
      thresholds: [
        { priority: "DEFAULT", max_connections: 20_000, max_pending_requests: 20_000, max_requests: 20_000 },
      ],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        {
          // Below the 5 s after which Node and uvicorn close an idle connection: the router must close first, or it loses a request.
          common_http_protocol_options: { idle_timeout: "3s" },
          explicit_http_config: { http_protocol_options: {} },
        },
      ),
    },
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 60, keepalive_interval: 15, keepalive_probes: 4 } },
  };
}

function adminCluster(port: number): Json {
  return {
    name: "admin",
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: "admin",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address("127.0.0.1", port) } }] }],
    },
  };
}

/** GET alone, and only what changes nothing: `/quitquitquit` and its like answer 404 here. */
function observeListener(port: number, instance: string | undefined): Json {
  const name = { header: { key: INSTANCE_HEADER, value: instance ?? "" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
  return {
    name: "observe",
    address: address("0.0.0.0", port),
    filter_chains: [
      {
        filters: [
          connectionManager({
            stat_prefix: "observe",
            normalize_path: true,
            route_config: {
              name: "observe",
              virtual_hosts: [
                {
                  name: "observe",
                  domains: ["*"],
                  ...(instance === undefined ? {} : { response_headers_to_add: [name] }),
                  routes: Object.values(OBSERVE_PATHS).map((path) => ({
                    match: { path, headers: [{ name: ":method", string_match: { exact: "GET" } }] },
                    route: { cluster: "admin", timeout: "5s" },
                  })),
                },
              ],
            },
            http_filters: [routerFilter()],
          }),
        ],
      },
    ],
  };
}

function accessLog(): Json {
  return {
    name: "envoy.access_loggers.stdout",
    typed_config: typed("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", {
      log_format: {
        json_format: {
          time: "%START_TIME%",
          method: "%REQ(:METHOD)%",
          path: "%REQ(:PATH)%",
          status: "%RESPONSE_CODE%",
          flags: "%RESPONSE_FLAGS%",
          milliseconds: "%DURATION%",
          cluster: "%UPSTREAM_CLUSTER_RAW%",
          request_id: "%REQ(X-REQUEST-ID)%",
        },
      },
    }),
  };
}
