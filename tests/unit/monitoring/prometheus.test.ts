import { describe, expect, it } from "vitest";
import {
  EVICTIONS,
  evictionStat,
  ENVOY_METRIC_RELABELLING,
  ENVOY_METRICS,
  ROUTE_RELABELLING,
} from "../../../contract/envoy/metrics.ts";
import { CLUSTERS, clusterName } from "../../../contract/envoy/names.ts";
import { kubernetesJobs, gatewayRelabelling } from "../../../components/monitoring/kubernetes-jobs.ts";
import { dockerJobs } from "../../../components/monitoring/docker-jobs.ts";
import { prometheusConfig, type Relabelling } from "../../../components/monitoring/prometheus.ts";

/** Prometheus' relabelling of one label set, as far as our rules use it. */
function relabelled(
  rules: readonly Relabelling[],
  labels: Readonly<Record<string, string>>,
): Record<string, string> | undefined {
  const result = { ...labels };
  for (const rule of rules) {
    const source = (rule.source_labels ?? []).map((name) => result[name] ?? "").join(";");
    const match = new RegExp(`^(?:${rule.regex ?? "(.*)"})$`, "u").exec(source);
    if (rule.action === "keep" && match === null) return undefined;
    if (rule.action === "drop" && match !== null) return undefined;
    if (rule.action !== undefined || match === null || rule.target_label === undefined) continue;
    result[rule.target_label] = (rule.replacement ?? "$1").replace(
      /\$(\d)/gu,
      (_, n: string) => match[Number(n)] ?? "",
    );
  }
  return result;
}

const cluster = { instance: "exai-prod", namespace: "exai-prod", webSocketPort: 8079, gateway: { name: "exai" } };

describe("the local jobs", () => {
  it("reach each slot through the router, and name it", () => {
    const slot = (slot: string) => ({
      targets: ["router:9901"],
      labels: { slot, instance: `server-${slot}:8080`, __metrics_path__: `/slots/${slot}/metrics` },
    });
    expect(dockerJobs()[0]?.discovery).toEqual({ static: [slot("blue"), slot("green")] });
  });

  it("turn every cluster of the router into its slot and kind", () => {
    for (const { slot, kind } of CLUSTERS) {
      expect(relabelled(ENVOY_METRIC_RELABELLING, { envoy_cluster_name: clusterName(slot, kind) })).toMatchObject({
        slot,
        kind,
      });
    }
    expect(relabelled(ENVOY_METRIC_RELABELLING, { envoy_cluster_name: "admin" })).toEqual({
      envoy_cluster_name: "admin",
    });
  });

  it.each(
    EVICTIONS.flatMap((eviction) => [
      ["exai-generation-7-token-3", eviction, evictionStat(eviction, "green")] as const,
      ["exai-http/exai_test", eviction, `generation-7-token-3-${evictionStat(eviction, "green")}`] as const,
    ]),
  )("map the statistic of %s for an %s slot to one series, for any table", (host, eviction, envoy_route) => {
    const labels = { __name__: ENVOY_METRICS.eviction, envoy_virtual_host: host, envoy_route };
    const router = dockerJobs().find((job) => job.name === "router");
    // A label without a value is none.
    expect(relabelled(router?.relabelSamples ?? [], labels)).toEqual({
      ...{ __name__: ENVOY_METRICS.eviction, slot: "green", eviction },
      ...{ envoy_virtual_host: "", envoy_route: "" },
    });
  });

  it.each([
    [ENVOY_METRICS.eviction, "generation-7-token-3"],
    [ENVOY_METRICS.eviction, "-"],
    ["envoy_vhost_route_upstream_rq_retry", `generation-7-token-3-${evictionStat("emptied", "green")}`],
  ])("leave %s of the route %s out", (name, envoy_route) => {
    const labels = { __name__: name, envoy_virtual_host: "host", envoy_route };
    expect(relabelled(ROUTE_RELABELLING, labels)).toBeUndefined();
  });

  it("leave every other series of the router unchanged", () => {
    for (const name of ["envoy_vhost_vcluster_upstream_rq", "envoy_cluster_upstream_rq_total"])
      expect(relabelled(ROUTE_RELABELLING, { __name__: name })).toEqual({ __name__: name });
  });

  it("read the router every two seconds, for the gates", () => {
    const config = prometheusConfig({ externalLabels: {}, jobs: dockerJobs(), alertmanagers: [], ruleFiles: [] });
    expect(config.scrape_configs).toContainEqual(
      expect.objectContaining({ job_name: "router", scrape_interval: "2s", metrics_path: "/stats/prometheus" }),
    );
  });
});

describe("the cluster's jobs", () => {
  const jobs = kubernetesJobs(cluster);

  it("are the same as on one machine", () => {
    expect(jobs.map((job) => job.name)).toEqual(dockerJobs().map((job) => job.name));
  });

  it("look pods up in two namespaces and nowhere else", () => {
    const spaces = jobs.flatMap((job) => ("podsIn" in job.discovery ? job.discovery.podsIn : []));
    expect(spaces).toEqual(["exai-prod", "envoy-gateway-system"]);
    const config = prometheusConfig({ externalLabels: {}, jobs, alertmanagers: [], ruleFiles: [] });
    expect(JSON.stringify(config)).not.toContain('"role":"node"');
  });

  it("take the HTTP port of a server's pod with its slot, and leave its other ports and ended pods", () => {
    const pod = {
      __meta_kubernetes_pod_container_port_number: "8080",
      __meta_kubernetes_pod_phase: "Running",
      __meta_kubernetes_pod_label_exai_slot: "green",
      __meta_kubernetes_pod_name: "server-green-1",
    };
    const rules = jobs[0]?.relabel ?? [];
    expect(relabelled(rules, pod)).toMatchObject({ slot: "green", pod: "server-green-1" });
    expect(relabelled(rules, { ...pod, __meta_kubernetes_pod_container_port_number: "8079" })).toBeUndefined();
    expect(relabelled(rules, { ...pod, __meta_kubernetes_pod_phase: "Failed" })).toBeUndefined();
  });

  it("scrape a proxy on its metrics port, once, with any declared ports", () => {
    const rules = jobs[1]?.relabel ?? [];
    const of = (port: string): unknown =>
      relabelled(rules, {
        __address__: `10.0.0.7:${port}`,
        __meta_kubernetes_pod_ip: "10.0.0.7",
        __meta_kubernetes_pod_phase: "Running",
        __meta_kubernetes_pod_name: "envoy-1",
      });
    expect(of("10080")).toEqual(of("8443"));
    expect(of("10080")).toMatchObject({ __address__: "10.0.0.7:19001", pod: "envoy-1" });
  });

  it.each([
    ["service/exai-prod/server-blue/8080", { slot: "blue", kind: "plain" }],
    ["service/exai-prod/server-green/8080/http", { slot: "green", kind: "plain" }],
    ["service/exai-prod/server-green/8079/http", { slot: "green", kind: "websocket" }],
    ["service/exai-prod/server-blue/8078/http", { slot: "blue", kind: "stream" }],
    ["service/exai-prod/server-blue/80781/http", { slot: "blue" }],
    ["service/another/server-blue/8080/http", {}],
    ["httproute/exai-prod/server/rule/0", {}],
  ])("read %s as %j", (envoy_cluster_name, labels) => {
    expect(relabelled(gatewayRelabelling(cluster), { envoy_cluster_name })).toEqual({ envoy_cluster_name, ...labels });
  });
});
