import { ENVOY_SCRAPE_INTERVAL_SECONDS } from "../../contract/envoy/metrics.ts";
import { CLUSTER_KINDS } from "../../contract/envoy/names.ts";
import { servicePorts } from "../../contract/gateway.ts";
import { JOBS } from "../../contract/monitoring.ts";
import { LABELS } from "../../contract/labels.ts";
import { HTTP_PORT, SERVER_PATHS } from "../../contract/server.ts";
import { MONITORING_HOSTS, MONITORING_PORTS, one, routerJob } from "./docker-jobs.ts";
import type { Relabelling, ScrapeJob } from "./prometheus.ts";

/** What the cluster's Prometheus has to know to find its targets. */
export interface KubernetesTargets {
  readonly instance: string;
  /** Namespace of the stack. */
  readonly namespace: string;
  /** EXAI_WS_PORT: identifies the clusters of WebSockets. */
  readonly webSocketPort: number;
  /** Envoy Gateway's proxies. */
  readonly gateway: {
    /** Name of the Gateway object, in the stack's namespace. */
    readonly name: string;
    /** Namespace in which the proxies run. @default "envoy-gateway-system" */
    readonly namespace?: string;
  };
}

/** Namespace in which Envoy Gateway runs its proxies by default. */
export const GATEWAY_NAMESPACE = "envoy-gateway-system";

/** Port of the proxies' metrics; fixed by Envoy Gateway. */
export const GATEWAY_METRICS_PORT = 19_001;

/** The scrape jobs of staging and prod: the same jobs and labels as on one machine, with targets looked up by labels. */
export function kubernetesJobs(targets: KubernetesTargets): readonly ScrapeJob[] {
  const { instance, namespace, gateway } = targets;
  const owner = "gateway.envoyproxy.io/owning-gateway";
  return [
    {
      name: JOBS.server,
      path: SERVER_PATHS.metrics,
      intervalSeconds: ENVOY_SCRAPE_INTERVAL_SECONDS,
      discovery: {
        podsIn: [namespace],
        labelSelector: `${LABELS.instance}=${instance},${LABELS.component}=server`,
      },
      relabel: [
        // Discovery yields a target for each port of each container.
        { source_labels: ["__meta_kubernetes_pod_container_port_number"], regex: String(HTTP_PORT), action: "keep" },
        // A pod that has ended, such as an evicted one, does not count as a target that is down.
        { source_labels: ["__meta_kubernetes_pod_phase"], regex: "Failed|Succeeded", action: "drop" },
        { source_labels: [metaLabel(LABELS.slot)], target_label: "slot" },
        { source_labels: ["__meta_kubernetes_pod_name"], target_label: "pod" },
      ],
    },
    {
      ...routerJob(
        {
          podsIn: [gateway.namespace ?? GATEWAY_NAMESPACE],
          labelSelector: `${owner}-name=${gateway.name},${owner}-namespace=${namespace}`,
        },
        gatewayRelabelling(targets),
      ),
      relabel: [
        { source_labels: ["__meta_kubernetes_pod_phase"], regex: "Failed|Succeeded", action: "drop" },
        // One target for each pod, for any number of ports: equal targets are merged.
        {
          source_labels: ["__meta_kubernetes_pod_ip"],
          regex: "(.+)",
          target_label: "__address__",
          replacement: `$1:${GATEWAY_METRICS_PORT}`,
        },
        { source_labels: ["__meta_kubernetes_pod_name"], target_label: "pod" },
      ],
    },
    one(JOBS.postgres, `${MONITORING_HOSTS.postgresExporter}:${MONITORING_PORTS.postgresExporter}`),
    one(JOBS.prometheus, `${MONITORING_HOSTS.prometheus}:${MONITORING_PORTS.prometheus}`),
    one(JOBS.alertmanager, `${MONITORING_HOSTS.alertmanager}:${MONITORING_PORTS.alertmanager}`),
  ];
}

/** Labels from the names of merged clusters, `service/<namespace>/server-<slot>/<port>/…`: the port says the kind. */
export function gatewayRelabelling(
  targets: Pick<KubernetesTargets, "namespace" | "webSocketPort">,
): readonly Relabelling[] {
  const service = `service/${targets.namespace}/server-`;
  const ports = servicePorts(targets.webSocketPort);
  const rule = (regex: string, target_label: string, replacement: string): Relabelling => ({
    source_labels: ["envoy_cluster_name"],
    regex: `${regex}(?:/.*)?`,
    target_label,
    replacement,
  });
  return [
    rule(`${service}(blue|green)/\\d+`, "slot", "$1"),
    ...CLUSTER_KINDS.map((kind) => rule(`${service}(?:blue|green)/${String(ports[kind])}`, "kind", kind)),
  ];
}

/** Name under which discovery shows a pod's label. */
function metaLabel(label: string): string {
  return `__meta_kubernetes_pod_label_${label.replaceAll(/[^a-zA-Z0-9_]/gu, "_")}`;
}
