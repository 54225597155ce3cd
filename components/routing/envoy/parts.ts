import { typed, type Json } from "../../../contract/envoy/json.ts";
import { INTERNAL_RANGE } from "../../core/paths.ts";

export function address(host: string, port: number): Json {
  return { socket_address: { address: host, port_value: port } };
}

export function connectionManager(config: Readonly<Record<string, Json>>): Json {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", config),
  };
}

export function routerFilter(): Json {
  return {
    name: "envoy.filters.http.router",
    typed_config: typed("envoy.extensions.filters.http.router.v3.Router", { suppress_envoy_headers: true }),
  };
}

/** Admits connections from the internal networks alone, or all others. */
export function fromInternalNetworks(action: "ALLOW" | "DENY", listener: string): Json {
  const range = { address_prefix: INTERNAL_RANGE.address, prefix_len: INTERNAL_RANGE.prefix };
  return {
    name: "envoy.filters.network.rbac",
    typed_config: typed("envoy.extensions.filters.network.rbac.v3.RBAC", {
      stat_prefix: `${listener}.`,
      rules: {
        action,
        policies: { "internal-networks": { permissions: [{ any: true }], principals: [{ direct_remote_ip: range }] } },
      },
    }),
  };
}
