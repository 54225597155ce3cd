import { typed, type Json } from "../../../contract/envoy/json.ts";
import { EGRESS_PORT } from "../../../contract/envoy/names.ts";
import { address, connectionManager, fromInternalNetworks, routerFilter } from "./parts.ts";

/** Names are resolved at the first request for them, so that a router without internet starts as fast. */
const DNS_CACHE: Json = { name: "egress", dns_lookup_family: "V4_PREFERRED" };

/** The hosts that slots reach. */
export function egressCluster(): Json {
  return {
    name: "egress",
    lb_policy: "CLUSTER_PROVIDED",
    connect_timeout: "10s",
    cluster_type: {
      name: "envoy.clusters.dynamic_forward_proxy",
      typed_config: typed("envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig", {
        dns_cache_config: DNS_CACHE,
      }),
    },
  };
}

/**
 * A forward proxy for slots alone. TLS passes through it in a CONNECT tunnel.
 *
 * @param hosts as `host:port`; every other one is answered with 403
 */
export function egressListener(hosts: readonly string[]): Json {
  const tunnel = { connect_matcher: {} };
  const plain = { prefix: "/" };
  // A provider may take minutes for a token of its answer.
  const to = { cluster: "egress", timeout: "0s", idle_timeout: "3600s" };
  const refused = {
    status: 403,
    body: { inline_string: "exai:egressHosts does not list this host and port\n" },
  };
  return {
    name: "egress",
    address: address("0.0.0.0", EGRESS_PORT),
    filter_chains: [
      {
        filters: [
          fromInternalNetworks("ALLOW", "egress"),
          connectionManager({
            stat_prefix: "egress",
            upgrade_configs: [{ upgrade_type: "CONNECT" }],
            route_config: {
              name: "egress",
              virtual_hosts: [
                ...(hosts.length === 0
                  ? []
                  : [
                      {
                        name: "allowed",
                        domains: domains(hosts),
                        routes: [
                          {
                            match: tunnel,
                            route: { ...to, upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] },
                          },
                          { match: plain, route: to },
                        ],
                      },
                    ]),
                {
                  name: "refused",
                  domains: ["*"],
                  routes: [tunnel, plain].map((match) => ({ match, direct_response: refused })),
                },
              ],
            },
            http_filters: [
              {
                name: "envoy.filters.http.dynamic_forward_proxy",
                typed_config: typed("envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig", {
                  dns_cache_config: DNS_CACHE,
                }),
              },
              routerFilter(),
            ],
          }),
        ],
      },
    ],
  };
}

/** A request without a tunnel does not name port 80. */
function domains(hosts: readonly string[]): string[] {
  return [...new Set(hosts.flatMap((host) => (host.endsWith(":80") ? [host, host.slice(0, -":80".length)] : [host])))];
}
