import { describe, expect, it } from "vitest";
import { DockerMonitoring, type DockerMonitoringArgs } from "../../../components/monitoring/docker.ts";
import { KubernetesMonitoring, type KubernetesMonitoringArgs } from "../../../components/monitoring/kubernetes.ts";
import { Secret, type Resource, type ResourceGraph } from "../../../contract/graph.ts";
import { captureProgram } from "../../../synth/capture.ts";
import { RULES } from "./stack.ts";

const alerts = {
  slack: { webhook: "https://hooks.slack.example/T0/secret-of-slack", channel: "#alerts" },
  pagerduty: { routingKey: "secret-of-pagerduty" },
};
const database = {
  uri: "postgres:5432/postgres?sslmode=disable",
  user: "exai_monitor",
  password: "secret-of-postgres",
  queries: "exai_backup: {}\n",
};
const SECRETS = ["secret-of-slack", "secret-of-pagerduty", "secret-of-postgres", "secret-of-grafana"];
const images = { prometheus: "p:1", alertmanager: "a:1", postgresExporter: "e:1", grafana: "g:1" };

/** Every plain string of a value; what is marked secret is left out. */
function plainStrings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (value instanceof Secret || typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(plainStrings);
}

function expectNoSecretInPlain(graph: ResourceGraph): void {
  const text = graph.resources.flatMap((resource) => plainStrings(resource.inputs)).join("\n");
  for (const secret of SECRETS) expect(text).not.toContain(secret);
}

const local = (args: Partial<DockerMonitoringArgs> = {}): Promise<ResourceGraph> =>
  captureProgram("local", () => {
    new DockerMonitoring("monitoring", {
      platform: { instance: "i", stack: "local", networks: () => ["i"] },
      images,
      ports: { prometheus: 19_090, alertmanager: 19_093, grafana: 13_000 },
      retentionDays: 7,
      database,
      grafanaPassword: "secret-of-grafana",
      backups: RULES.backups,
      alerts,
      ...args,
    });
    return Promise.resolve({});
  });

const named = (graph: ResourceGraph, name: string): Resource => {
  const found = graph.resources.find((resource) => resource.name === name);
  if (found === undefined) throw new Error(`no ${name} among ${graph.resources.map((one) => one.name).join(", ")}`);
  return found;
};

describe("DockerMonitoring", () => {
  it("runs four containers under one component, each hardened and on loopback", async () => {
    const graph = await local();
    // Each has a carrier with its files.
    const containers = graph.resources.filter(
      (one) => one.type === "docker:index/container:Container" && !one.name.endsWith("-files"),
    );
    expect(containers.map((one) => one.name).toSorted()).toEqual(
      ["alertmanager", "grafana", "postgres-exporter", "prometheus"].map((part) => `monitoring-${part}`),
    );
    for (const { inputs, parent } of containers) {
      expect(parent).toContain("exai:monitoring:DockerMonitoring");
      expect(inputs.user).toMatch(/^(?:65534:65534|472:472)$/u);
      expect(inputs).toMatchObject({ readOnly: true, privileged: false });
      expect(JSON.stringify(inputs.ports)).not.toContain("0.0.0.0");
    }
  });

  it("omits Grafana if its image is not available", async () => {
    const { prometheus, alertmanager, postgresExporter } = images;
    const graph = await local({ images: { prometheus, alertmanager, postgresExporter } });
    expect(graph.resources.some((one) => one.name.includes("grafana"))).toBe(false);
  });

  it("keeps secrets in files that are marked secret", async () => {
    const graph = await local();
    expectNoSecretInPlain(graph);
    expect(JSON.stringify(named(graph, "monitoring-postgres-exporter").inputs.envs)).toContain(
      "DATA_SOURCE_PASS_FILE=/run/secrets/exai/",
    );
    expect(JSON.stringify(named(graph, "monitoring-grafana").inputs.envs)).toContain("ADMIN_PASSWORD__FILE=");
  });

  it("can be neither reloaded nor stopped over HTTP", async () => {
    const command = JSON.stringify(named(await local(), "monitoring-prometheus").inputs.command);
    expect(command).toContain("--storage.tsdb.retention.time=7d");
    expect(command).not.toContain("enable-lifecycle");
    expect(command).not.toContain("enable-admin-api");
  });
});

const inCluster = (args: Partial<KubernetesMonitoringArgs> = {}): Promise<ResourceGraph> =>
  captureProgram("prod", () => {
    new KubernetesMonitoring("monitoring", {
      platform: { instance: "exai-prod", stack: "prod", namespace: "exai-prod" },
      images,
      retentionDays: 30,
      storage: { kind: "volume", gigabytes: 20 },
      database,
      grafanaPassword: "secret-of-grafana",
      backups: RULES.backups,
      webSocketPort: 8079,
      gateway: { name: "exai" },
      alerts,
      ...args,
    });
    return Promise.resolve({});
  });

interface PodTemplate {
  readonly template: {
    readonly metadata: { readonly annotations: Readonly<Record<string, unknown>> };
    readonly spec: {
      readonly automountServiceAccountToken: boolean;
      readonly volumes: readonly { readonly name: string; readonly projected?: unknown; readonly emptyDir?: unknown }[];
    };
  };
  readonly volumeClaimTemplates?: readonly unknown[];
}

const specOf = (graph: ResourceGraph, name: string): PodTemplate =>
  named(graph, name).inputs.spec as unknown as PodTemplate;

describe("KubernetesMonitoring", () => {
  it("gives a token to Prometheus alone, bounded and for pods in two namespaces", async () => {
    const graph = await inCluster();
    const parts = ["prometheus", "alertmanager", "grafana", "postgres-exporter"];
    for (const part of parts) {
      const { spec } = specOf(graph, `monitoring-${part}`).template;
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(spec.volumes.some((volume) => volume.projected !== undefined)).toBe(part === "prometheus");
    }
    expect(JSON.stringify(specOf(graph, "monitoring-prometheus"))).toContain('"expirationSeconds":3600');
    const roles = graph.resources.filter((one) => one.type.endsWith(":Role"));
    expect(roles.map((role) => (role.inputs.metadata as { namespace: string }).namespace).toSorted()).toEqual([
      "envoy-gateway-system",
      "exai-prod",
    ]);
    for (const role of roles)
      expect(role.inputs.rules).toEqual([{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] }]);
    expect(graph.resources.some((one) => one.type.includes("ClusterRole"))).toBe(false);
  });

  it("opens the network between the parts in both directions, and not to the outside", async () => {
    const policies = (await inCluster()).resources.filter((one) => one.type.endsWith(":NetworkPolicy"));
    expect(policies).toHaveLength(4);
    for (const policy of policies) {
      const spec = policy.inputs.spec as unknown as { policyTypes: string[]; ingress: { from?: unknown[] }[] };
      expect(spec.policyTypes).toEqual(["Ingress", "Egress"]);
      for (const rule of spec.ingress) expect(rule.from?.length).toBeGreaterThan(0);
    }
  });

  it("replaces a pod whose configuration has changed, and only that one", async () => {
    const before = await inCluster();
    const after = await inCluster({ runbooks: "https://runbooks.example.org" });
    const digest = (graph: ResourceGraph, part: string): unknown =>
      specOf(graph, `monitoring-${part}`).template.metadata.annotations["exai.config-digest"];
    expect(digest(after, "prometheus")).not.toBe(digest(before, "prometheus"));
    expect(digest(after, "alertmanager")).toBe(digest(before, "alertmanager"));
  });

  it("keeps what was measured on a claimed volume, or with the pod for a trial", async () => {
    expect(specOf(await inCluster(), "monitoring-prometheus").volumeClaimTemplates).toHaveLength(1);
    const trial = specOf(await inCluster({ storage: { kind: "ephemeral", gigabytes: 1 } }), "monitoring-prometheus");
    expect(trial.volumeClaimTemplates).toBeUndefined();
    expect(trial.template.spec.volumes.some((volume) => volume.name === "data")).toBe(true);
  });

  it("keeps secrets in Secrets", async () => {
    expectNoSecretInPlain(await inCluster());
  });
});
