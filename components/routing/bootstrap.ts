import { HTTP_PORT } from "../../contract/server.ts";
import type { Json } from "../../contract/envoy/json.ts";
import { LATENCY_BUCKETS_MILLISECONDS } from "../../contract/envoy/metrics.ts";
import { ADMIN_PORT, CLUSTERS, OBSERVE_PORT } from "../../contract/envoy/names.ts";
import { SLOTS } from "../../contract/slots.ts";
import { egressCluster, egressListener } from "./envoy/egress.ts";
import { adminCluster, observeListener } from "./envoy/observe.ts";
import type { EnvoyOptions } from "./envoy/options.ts";
import { overloadManager } from "./envoy/overload.ts";
import { address } from "./envoy/parts.ts";
import { metricsCluster, slotCluster } from "./envoy/slot-cluster.ts";
import { userListener } from "./envoy/user-listener.ts";

/** Statistics of the clusters that are not users': all but their requests, since each scrape has all of them. */
const UNREAD_STATS =
  "cluster[.](blue|green)-(session|probe|tester)[a-z-]*[.](assignment|bind|circuit|default|external|http|init|internal|lb|load|max|original|retry|update|upstream_(cx|flow|internal|rq_(cancel|comp|maint|max|pend|per|retry|rx|time_|timeout|tx))).*";

/**
 * Envoy's bootstrap configuration: two listeners for users, one read-only listener for the read-back and Prometheus, one
 * for what slots may reach, and static clusters for both slots, which exist before any weight goes from 0 to n.
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
        ...(options.egress === undefined ? [] : [egressListener(options.egress)]),
      ],
      clusters: [
        ...CLUSTERS.map(({ slot, kind }) => slotCluster(slot, kind, options)),
        ...SLOTS.map((slot) => metricsCluster(slot, options)),
        adminCluster(adminPort),
        ...(options.egress === undefined ? [] : [egressCluster()]),
      ],
    },
    // Histograms become visible at each flush, and gates read them every few seconds.
    stats_flush_interval: "1s",
    stats_config: {
      stats_matcher: { exclusion_list: { patterns: [{ safe_regex: { regex: UNREAD_STATS } }] } },
      histogram_bucket_settings: [
        { match: { suffix: "upstream_rq_time" }, buckets: [...LATENCY_BUCKETS_MILLISECONDS] },
      ],
    },
    overload_manager: overloadManager(options.memoryMegabytes),
  };
}
