import { beforeAll, describe, expect, it } from "vitest";
import { SLOTS } from "../../contract/slots.ts";
import { KIND_PORTS } from "../../contract/gateway.ts";
import type { Resource, ResourceGraph } from "../../contract/graph.ts";
import { KubernetesNamespace } from "../../components/platform/namespace.ts";
import { secretsDigest } from "../../components/secrets/kubernetes.ts";
import { KubernetesServer, type KubernetesServerArgs } from "../../components/server/kubernetes.ts";
import { captureProgram } from "../../synth/capture.ts";

const environment = {
  wsHost: "0.0.0.0",
  wsPort: 8079,
  productionUrl: "https://exai.example.com",
  browserSecurity: true,
  monitoringEnabled: true,
  logLevel: "info",
  simpleToolTimeout: 60,
  workflowToolTimeout: 120,
  expertAnalysisTimeout: 90,
  kimiTimeout: 120,
  glmTimeout: 90,
  kimiUrl: "https://kimi.example.com",
  glmUrl: "https://glm.example.com",
  graceSeconds: 30,
};

function build(more: Partial<KubernetesServerArgs> = {}): Promise<ResourceGraph> {
  return captureProgram("staging", () => {
    const platform = new KubernetesNamespace("platform", { instance: "exai-test", stack: "staging" });
    new KubernetesServer("server", {
      platform,
      images: { blue: "example.com/exai@sha256:b", green: "example.com/exai@sha256:9" },
      replicas: 3,
      environment,
      secrets: {
        blue: { jwtSecret: "0123456789abcdef0123456789abcdef", kimiApiKey: "kimi-key" },
        green: { jwtSecret: "0123456789abcdef0123456789abcdef", kimiApiKey: "kimi-key" },
      },
      memoryMegabytes: 512,
      cpus: 2,
      gatewayNamespace: "gateways",
      ...more,
    });
    return Promise.resolve({});
  });
}

interface Pod {
  terminationGracePeriodSeconds: number;
  containers: {
    image: string;
    env: { name: string; value: string }[];
    lifecycle: { preStop: { sleep: { seconds: number } } };
    readinessProbe: { httpGet: { path: string } };
    livenessProbe: { httpGet: { path: string } };
    startupProbe: { periodSeconds: number; failureThreshold: number };
  }[];
  volumes: { name: string; secret?: { secretName: string } }[];
}

const named = (graph: ResourceGraph, name: string): Resource => {
  const found = graph.resources.find((resource) => resource.name === name);
  if (found === undefined) throw new Error(`no ${name} among ${graph.resources.map((each) => each.name).join(", ")}`);
  return found;
};
const specOf = (graph: ResourceGraph, name: string) =>
  named(graph, name).inputs.spec as unknown as Record<string, unknown>;
const podOf = (graph: ResourceGraph, slot: string): Pod =>
  (specOf(graph, `server-${slot}`) as { template: { spec: Pod } }).template.spec;

describe("the server on Kubernetes", () => {
  let graph: ResourceGraph;
  beforeAll(async () => {
    graph = await build();
  });

  it("has two slots with an image each, at full scale", () => {
    expect(podOf(graph, "blue").containers[0]?.image).toBe("example.com/exai@sha256:b");
    expect(podOf(graph, "green").containers[0]?.image).toBe("example.com/exai@sha256:9");
    for (const slot of SLOTS) expect(specOf(graph, `server-${slot}`).replicas).toBe(3);
  });

  it("selects each slot's own pods alone", () => {
    for (const slot of SLOTS) {
      const { selector } = specOf(graph, `server-${slot}-service`) as { selector: Record<string, string> };
      const { template } = specOf(graph, `server-${slot}`) as {
        template: { metadata: { labels: Record<string, string> } };
      };
      expect(template.metadata.labels).toMatchObject(selector);
      expect(selector["exai.slot"]).toBe(slot);
    }
  });

  it("has a separate port for each kind of requests, which leads to one of the pods' two ports", () => {
    for (const slot of SLOTS) {
      const { ports } = specOf(graph, `server-${slot}-service`) as {
        ports: { name: string; port: number; targetPort: string }[];
      };
      expect(Object.fromEntries(ports.map(({ name, port, targetPort }) => [name, [port, targetPort]]))).toEqual({
        http: [8080, "http"],
        websocket: [8079, "websocket"],
        ...Object.fromEntries(
          Object.entries(KIND_PORTS).map(([kind, port]) => [
            kind,
            [port, kind.endsWith("websocket") ? "websocket" : "http"],
          ]),
        ),
      });
    }
  });

  it("probes readiness and liveness apart, and gives a start two minutes", () => {
    const [container] = podOf(graph, "blue").containers;
    expect(container?.readinessProbe.httpGet.path).toBe("/ready");
    expect(container?.livenessProbe.httpGet.path).toBe("/health");
    const { periodSeconds, failureThreshold } = container?.startupProbe ?? { periodSeconds: 0, failureThreshold: 0 };
    expect(periodSeconds * failureThreshold).toBe(120);
  });

  it("leaves the server its whole grace after the sleep before SIGTERM", () => {
    const pod = podOf(graph, "blue");
    const sleep = pod.containers[0]?.lifecycle.preStop.sleep.seconds ?? 0;
    expect(pod.terminationGracePeriodSeconds - sleep).toBeGreaterThanOrEqual(environment.graceSeconds);
  });

  it("hands secrets over as files, never as values of the environment", () => {
    const [container] = podOf(graph, "blue").containers;
    const values = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
    expect(values.EXAI_JWT_TOKEN_FILE).toBe("/run/secrets/exai/jwt-token");
    expect(values.KIMI_API_KEY_FILE).toBe("/run/secrets/exai/kimi-api-key");
    expect(values).not.toHaveProperty("EXAI_JWT_TOKEN");
    expect(values).not.toHaveProperty("GLM_API_KEY_FILE");
    expect(JSON.stringify(values)).not.toContain("kimi-key");
    expect(podOf(graph, "blue").volumes.map(({ secret }) => secret?.secretName)).toContain("server-blue-secrets");
  });

  it("opens the server only to the gateway's proxies and to Prometheus", () => {
    const { ingress, egress } = specOf(graph, "server-network") as {
      ingress: { from: { namespaceSelector?: { matchLabels: Record<string, string> } }[]; ports: { port: number }[] }[];
      egress: { to: { ipBlock?: { cidr: string; except: string[] } }[]; ports: { port: number }[] }[];
    };
    expect(ingress).toHaveLength(2);
    expect(ingress[0]?.from[0]?.namespaceSelector?.matchLabels).toEqual({ "kubernetes.io/metadata.name": "gateways" });
    expect(ingress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([[8080, 8079], [8080]]);
    expect(egress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([443]);
    // The metadata service of a cloud hands out credentials.
    expect(egress[0]?.to[0]?.ipBlock?.except).toContain("169.254.0.0/16");
  });

  it.each([
    [3, { minAvailable: 2 }],
    [1, { maxUnavailable: 1 }],
  ])("with %i replicas has a disruption budget that a drain can satisfy", async (replicas, budget) => {
    const found = specOf(await build({ replicas }), "server-blue-budget");
    expect(found).toMatchObject({ ...budget, unhealthyPodEvictionPolicy: "AlwaysAllow" });
    expect("minAvailable" in found && "maxUnavailable" in found).toBe(false);
  });

  it("stands in a namespace that denies all traffic but name resolution", () => {
    const deny = specOf(graph, "platform-default-deny");
    expect(deny).toEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
    const { egress } = specOf(graph, "platform-allow-dns") as { egress: { ports: { port: number }[] }[] };
    expect(egress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([53, 53]);
    expect(named(graph, "platform-namespace").inputs.metadata).toMatchObject({
      labels: { "pod-security.kubernetes.io/enforce": "restricted" },
    });
  });

  it("takes escape hatches for its objects", async () => {
    const changed = await build({
      transform: { deployment: (args) => void (args.metadata = { ...(args.metadata as object), name: "renamed" }) },
    });
    expect(named(changed, "server-blue").inputs.metadata).toMatchObject({ name: "renamed" });
  });
});

describe("the digest of mounted secrets", () => {
  it("changes with any name or content, and with nothing else", () => {
    const digest = secretsDigest({ a: "1", b: "2" });
    expect(secretsDigest({ b: "2", a: "1" })).toBe(digest);
    expect(secretsDigest({ a: "1", b: "3" })).not.toBe(digest);
    expect(secretsDigest({ a: "1", c: "2" })).not.toBe(digest);
    expect(secretsDigest({ ab: "c" })).not.toBe(secretsDigest({ a: "bc" }));
  });
});
