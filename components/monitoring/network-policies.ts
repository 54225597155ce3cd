import type * as k8s from "@pulumi/kubernetes";
import { HTTP_PORT } from "../../contract/server.ts";
import { internet, peer, tcp, type KubernetesPlatform } from "../core/kubernetes.ts";
import { GATEWAY_METRICS_PORT, GATEWAY_NAMESPACE, type KubernetesTargets } from "./kubernetes-jobs.ts";
import { MONITORING_HOSTS, MONITORING_PORTS } from "./docker-jobs.ts";

/** Traffic that is allowed for one part of the monitoring. */
export interface Openings {
  readonly ingress?: k8s.types.input.networking.v1.NetworkPolicyIngressRule[];
  readonly egress?: k8s.types.input.networking.v1.NetworkPolicyEgressRule[];
}

type Platform = Pick<KubernetesPlatform, "instance">;

const PROMETHEUS = { component: MONITORING_HOSTS.prometheus };
const ALERTMANAGER = { component: MONITORING_HOSTS.alertmanager };
const EXPORTER = { component: MONITORING_HOSTS.postgresExporter };
const GRAFANA = { component: MONITORING_HOSTS.grafana };

/** Prometheus scrapes all targets, reads pods from the API server and sends alerts to Alertmanager. */
export function prometheusOpenings(
  platform: Platform,
  gateway: KubernetesTargets["gateway"],
  apiServerCidrs: readonly string[] | undefined,
): Openings {
  const ports = MONITORING_PORTS;
  const namespace = gateway.namespace ?? GATEWAY_NAMESPACE;
  return {
    // It scrapes itself through its Service.
    ingress: [{ from: [peer(platform, GRAFANA), peer(platform, PROMETHEUS)], ports: tcp(ports.prometheus) }],
    egress: [
      { to: [peer(platform, { component: "server" })], ports: tcp(HTTP_PORT) },
      {
        to: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
            podSelector: { matchLabels: { "gateway.envoyproxy.io/owning-gateway-name": gateway.name } },
          },
        ],
        ports: tcp(GATEWAY_METRICS_PORT),
      },
      { to: [peer(platform, EXPORTER)], ports: tcp(ports.postgresExporter) },
      { to: [peer(platform, ALERTMANAGER)], ports: tcp(ports.alertmanager) },
      { to: [peer(platform, PROMETHEUS)], ports: tcp(ports.prometheus) },
      // Policies see the API server's own address and port, behind its Service.
      { to: apiServer(apiServerCidrs), ports: tcp(443, 6443) },
    ],
  };
}

/** If its addresses are not known: any address except the cloud's metadata service. */
function apiServer(cidrs: readonly string[] | undefined): k8s.types.input.networking.v1.NetworkPolicyPeer[] {
  if (cidrs !== undefined) return cidrs.map((cidr) => ({ ipBlock: { cidr } }));
  return [
    { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
    { ipBlock: { cidr: "::/0", except: ["fd00:ec2::/32", "fd20:ce::/32", "fe80::/10"] } },
  ];
}

/** Alertmanager receives alerts from Prometheus and sends to receivers on the internet. */
export function alertmanagerOpenings(platform: Platform): Openings {
  return {
    ingress: [{ from: [peer(platform, PROMETHEUS)], ports: tcp(MONITORING_PORTS.alertmanager) }],
    egress: [{ to: internet(), ports: tcp(443) }],
  };
}

/** The exporter speaks to the hosted database, directly or by its pooler. */
export function exporterOpenings(platform: Platform): Openings {
  return {
    ingress: [{ from: [peer(platform, PROMETHEUS)], ports: tcp(MONITORING_PORTS.postgresExporter) }],
    egress: [{ to: internet(), ports: tcp(5432, 6543) }],
  };
}

/** Grafana asks Prometheus. People reach it by `kubectl port-forward`, which no policy sees. */
export function grafanaOpenings(platform: Platform): Openings {
  return { egress: [{ to: [peer(platform, PROMETHEUS)], ports: tcp(MONITORING_PORTS.prometheus) }] };
}
