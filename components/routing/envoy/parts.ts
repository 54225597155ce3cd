import { typed, type Json } from "../../../contract/envoy/json.ts";

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
