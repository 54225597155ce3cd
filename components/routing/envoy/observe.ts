import type { Json } from "../../../contract/envoy/json.ts";
import { INSTANCE_HEADER, OBSERVE_PATHS } from "../../../contract/envoy/names.ts";
import { address, connectionManager, routerFilter } from "./parts.ts";

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

/** GET alone, and only what changes nothing: `/quitquitquit` and its like answer 404 here. */
export function observeListener(port: number, instance: string | undefined): Json {
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
