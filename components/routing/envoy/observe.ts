import type { Json } from "../../../contract/envoy/json.ts";
import { INSTANCE_HEADER, metricsClusterName, OBSERVE_PATHS, slotMetricsPath } from "../../../contract/envoy/names.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { SLOTS } from "../../../contract/slots.ts";
import { address, connectionManager, fromInternalNetworks, routerFilter } from "./parts.ts";

/** Envoy's administration, for {@link observeListener} alone. */
export function adminCluster(port: number): Json {
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

/**
 * GET alone, and only what changes nothing: `/quitquitquit` and its like answer 404 here. Slots, which share a network with
 * the router, are not answered.
 */
export function observeListener(port: number, instance: string | undefined): Json {
  const name = { header: { key: INSTANCE_HEADER, value: instance ?? "" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
  return {
    name: "observe",
    address: address("0.0.0.0", port),
    filter_chains: [
      {
        filters: [
          fromInternalNetworks("DENY", "observe"),
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
                  routes: [
                    ...Object.values(OBSERVE_PATHS).map((path) => ({
                      match: get(path),
                      route: { cluster: "admin", timeout: "5s" },
                    })),
                    ...SLOTS.map((slot) => ({
                      match: get(slotMetricsPath(slot)),
                      route: {
                        cluster: metricsClusterName(slot),
                        timeout: "5s",
                        prefix_rewrite: SERVER_PATHS.metrics,
                      },
                    })),
                  ],
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

function get(path: string): Json {
  return { path, headers: [{ name: ":method", string_match: { exact: "GET" } }] };
}
