import { SLOTS } from "../../contract/slots.ts";
import {
  ENVOY_METRIC_RELABELLING,
  ENVOY_SCRAPE_INTERVAL_SECONDS,
  ROUTE_RELABELLING,
} from "../../contract/envoy/metrics.ts";
import { OBSERVE_PATHS, OBSERVE_PORT, slotHost, slotMetricsPath } from "../../contract/envoy/names.ts";
import { JOBS } from "../../contract/monitoring.ts";
import { HTTP_PORT } from "../../contract/server.ts";
import type { ScrapeJob } from "./prometheus.ts";

/** Ports inside the monitoring's own containers, on both platforms. */
export const MONITORING_PORTS = {
  prometheus: 9090,
  alertmanager: 9093,
  grafana: 3000,
  postgresExporter: 9187,
} as const;

/** Names of the monitoring's own parts on the network, on both platforms. */
export const MONITORING_HOSTS = {
  prometheus: "prometheus",
  alertmanager: "alertmanager",
  grafana: "grafana",
  postgresExporter: "postgres-exporter",
} as const;

/** Addresses, `host:port`, of what the local Prometheus scrapes. The defaults are the names on the instance's networks. */
export interface DockerTargets {
  readonly router?: string;
  readonly postgresExporter?: string;
  readonly prometheus?: string;
  readonly alertmanager?: string;
}

/** The scrape jobs of the local stack: every part by its name, the slots through the router. */
export function dockerJobs(targets: DockerTargets = {}): readonly ScrapeJob[] {
  const hosts = MONITORING_HOSTS;
  const ports = MONITORING_PORTS;
  const router = targets.router ?? `router:${OBSERVE_PORT}`;
  return [
    {
      name: JOBS.server,
      intervalSeconds: ENVOY_SCRAPE_INTERVAL_SECONDS,
      discovery: {
        // Through the router, which alone has a network with a slot.
        static: SLOTS.map((slot) => ({
          targets: [router],
          labels: { slot, instance: `${slotHost(slot)}:${HTTP_PORT}`, __metrics_path__: slotMetricsPath(slot) },
        })),
      },
    },
    routerJob({ static: [{ targets: [router] }] }, ENVOY_METRIC_RELABELLING),
    one(JOBS.postgres, targets.postgresExporter ?? `${hosts.postgresExporter}:${ports.postgresExporter}`),
    one(JOBS.prometheus, targets.prometheus ?? `${hosts.prometheus}:${ports.prometheus}`),
    one(JOBS.alertmanager, targets.alertmanager ?? `${hosts.alertmanager}:${ports.alertmanager}`),
  ];
}

/** The router's job on either platform: a short interval for the gates, clusters and emptied slots turned into slots. */
export function routerJob(
  discovery: ScrapeJob["discovery"],
  relabelSamples: NonNullable<ScrapeJob["relabelSamples"]>,
): ScrapeJob {
  return {
    name: JOBS.router,
    path: OBSERVE_PATHS.metrics,
    intervalSeconds: ENVOY_SCRAPE_INTERVAL_SECONDS,
    discovery,
    relabelSamples: [...relabelSamples, ...ROUTE_RELABELLING],
  };
}

/** A job of one listed target. */
export function one(name: string, target: string): ScrapeJob {
  return { name, discovery: { static: [{ targets: [target] }] } };
}
