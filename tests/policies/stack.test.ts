import { describe, expect, it } from "vitest";
import { Secret, Unknown, type Inputs, type Resource, type Value } from "../../contract/graph.ts";
import { parseCron } from "../../contract/cron/expression.ts";
import { longestGap } from "../../contract/cron/gaps.ts";
import { RULES } from "../../policies/rules/index.ts";
import { credentialIn } from "../../contract/secrets/credentials.ts";
import { altered, DOCKER, outcome, POD_KINDS, podResource, resource, soundDocker, soundPodSpec } from "./support.ts";

const rule = (name: string) => {
  const found = RULES.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no rule ${name}`);
  return found;
};
const found = (name: string, ...resources: readonly Resource[]) =>
  outcome(rule(name), "prod", ...resources).findings.map((finding) => finding.place.path);
const VERSIONS: Readonly<Record<string, string>> = {
  Deployment: "apps/v1",
  Gateway: "gateway.networking.k8s.io/v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  Ingress: "networking.k8s.io/v1",
  NetworkPolicy: "networking.k8s.io/v1",
  PodDisruptionBudget: "policy/v1",
};
const object = (kind: string, inputs: Inputs, extra: Partial<Resource> = {}) =>
  resource(
    `kubernetes:${VERSIONS[kind] ?? "core/v1"}:${kind}`,
    { metadata: { name: "thing", namespace: "exai" }, ...inputs },
    extra,
  );

const deployment = (replicas: Value, labels: Inputs = { "exai.component": "server", "exai.slot": "blue" }) =>
  resource("kubernetes:apps/v1:Deployment", {
    metadata: { namespace: "exai" },
    spec: { replicas, template: { metadata: { labels }, spec: soundPodSpec() } },
  });

describe("network rules", () => {
  const deny = object("NetworkPolicy", { spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } });

  it("a namespace with pods denies all traffic by default", () => {
    expect(found("network-default-deny", deployment(1), deny)).toEqual([]);
    expect(found("network-default-deny", deployment(1))).toHaveLength(1);
    for (const [path, value] of [
      [["spec", "policyTypes"], ["Ingress"]],
      [["spec", "podSelector"], { matchLabels: { a: "b" } }],
      [["spec", "egress"], [{}]],
      [["metadata", "namespace"], "other"],
    ] as const)
      expect(
        found("network-default-deny", deployment(1), { ...deny, inputs: altered(deny.inputs, path, value) as Inputs }),
        path.join("."),
      ).toHaveLength(1);
  });

  it("network policies list peers and ports, and exclude metadata addresses", () => {
    const policy = (rule: Inputs) =>
      object("NetworkPolicy", { spec: { podSelector: {}, policyTypes: ["Egress"], egress: [rule] } });
    const ports = [{ port: 443 }];
    expect(
      found(
        "network-openings",
        policy({ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } }], ports }),
      ),
    ).toEqual([]);
    expect(found("network-openings", policy({ to: [{ podSelector: { matchLabels: { a: "b" } } }], ports }))).toEqual(
      [],
    );
    expect(found("network-openings", policy({ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports }))).toEqual([
      "spec.egress[0].to[0]",
    ]);
    expect(
      found("network-openings", policy({ to: [{ ipBlock: { cidr: "::/0", except: ["169.254.0.0/16"] } }], ports })),
    ).toEqual(["spec.egress[0].to[0]"]);
    expect(found("network-openings", policy({ to: [{}], ports }))).toEqual(["spec.egress[0].to[0]"]);
    expect(found("network-openings", policy({ ports }))).toEqual(["spec.egress[0].to"]);
    expect(found("network-openings", policy({ to: [{ podSelector: {} }] }))).toEqual(["spec.egress[0].ports"]);
  });

  it("external traffic passes through the gateway, with TLS", () => {
    expect(found("network-public-services", object("Service", { spec: { type: "ClusterIP" } }))).toEqual([]);
    for (const type of ["NodePort", "LoadBalancer"])
      expect(found("network-public-services", object("Service", { spec: { type } }))).toEqual(["spec.type"]);
    expect(found("network-public-services", object("Service", { spec: { externalIPs: ["192.0.2.1"] } }))).toEqual([
      "spec.externalIPs",
    ]);

    const gateway = object("Gateway", {
      spec: {
        listeners: [
          { name: "http", protocol: "HTTP" },
          { name: "https", protocol: "HTTPS", tls: { certificateRefs: [{ name: "tls" }] } },
        ],
      },
    });
    const route = (filters: Value) =>
      object("HTTPRoute", { spec: { parentRefs: [{ name: "thing", sectionName: "http" }], rules: [{ filters }] } });
    const redirect = [{ type: "RequestRedirect", requestRedirect: { scheme: "https" } }];
    expect(found("network-tls", gateway, route(redirect))).toEqual([]);
    expect(found("network-tls", gateway, route([]))).toEqual(["spec.listeners[0].protocol"]);
    expect(found("network-tls", gateway)).toEqual(["spec.listeners[0].protocol"]);
    expect(
      found(
        "network-tls",
        { ...gateway, inputs: altered(gateway.inputs, ["spec", "listeners", 1, "tls"], undefined) as Inputs },
        route(redirect),
      ),
    ).toEqual(["spec.listeners[1].protocol"]);
  });

  it("namespaces enforce Pod Security", () => {
    const namespace = (level: Value | undefined) =>
      resource(
        "kubernetes:core/v1:Namespace",
        altered(
          { metadata: { labels: {} } },
          ["metadata", "labels", "pod-security.kubernetes.io/enforce"],
          level,
        ) as Inputs,
      );
    expect(found("namespace-pod-security", namespace("restricted"))).toEqual([]);
    for (const level of ["baseline", undefined])
      expect(found("namespace-pod-security", namespace(level))).toHaveLength(1);
  });
});

describe("rollout rules", () => {
  const budget = (minAvailable: Value, labels: Inputs = { "exai.slot": "blue" }) =>
    object("PodDisruptionBudget", { spec: { minAvailable, selector: { matchLabels: labels } } });

  it("a disruption budget keeps one replica available and allows one eviction", () => {
    expect(found("workload-disruption-budgets", deployment(3), budget(2))).toEqual([]);
    expect(found("workload-disruption-budgets", deployment(3), budget("50%"))).toEqual([]);
    expect(found("workload-disruption-budgets", deployment(1))).toEqual([]);
    for (const unsound of [[], [budget(3)], [budget(0)], [budget(2, { "exai.slot": "green" })]])
      expect(found("workload-disruption-budgets", deployment(3), ...unsound)).toEqual(["spec.replicas"]);
  });

  it("long-running containers have probes, and stop gracefully", () => {
    expect(found("workload-probes", deployment(2))).toEqual([]);
    const without = (key: string) => ({
      ...deployment(2),
      inputs: altered(deployment(2).inputs, ["spec", "template", "spec", "containers", 0, key], undefined) as Inputs,
    });
    expect(found("workload-probes", without("livenessProbe"))).toHaveLength(1);
    expect(found("workload-probes", without("readinessProbe"))).toHaveLength(1);
    expect(found("workload-graceful-end", deployment(2))).toEqual([]);
    expect(found("workload-graceful-end", without("lifecycle"))).toHaveLength(1);
  });

  it("both slots are declared, and the engine ignores their weights", () => {
    const green = deployment(2, { "exai.component": "server", "exai.slot": "green" });
    expect(outcome(rule("rollout-slots"), "prod", deployment(2), green).findings).toEqual([]);
    expect(outcome(rule("rollout-slots"), "prod", deployment(2)).findings.map((finding) => finding.message)).toEqual([
      "the green slot is not declared",
    ]);
    expect(outcome(rule("rollout-slots"), "prod").findings).toHaveLength(2);
    const route = (ignoreChanges: string[]) =>
      object(
        "HTTPRoute",
        { spec: { rules: [{ backendRefs: [{ name: "a" }, { name: "b" }] }] } },
        { options: { protect: false, ignoreChanges, deleteBeforeReplace: false, additionalSecretOutputs: [] } },
      );
    expect(found("rollout-weights", route(["spec.rules"]))).toEqual([]);
    expect(found("rollout-weights", route([]))).toEqual(["spec.rules"]);
  });

  it("resources with data are protected", () => {
    const claim = (protect: boolean) =>
      resource(
        "kubernetes:core/v1:PersistentVolumeClaim",
        {},
        { options: { protect, ignoreChanges: [], deleteBeforeReplace: false, additionalSecretOutputs: [] } },
      );
    expect(found("protected-data", claim(true))).toEqual([]);
    expect(found("protected-data", claim(false))).toEqual([""]);
    const volume = resource(
      "docker:index/volume:Volume",
      {
        labels: [{ label: "exai.component", value: "object-store" }],
      },
      { name: "object-store-data" },
    );
    expect(found("protected-data", volume)).toEqual([""]);
  });

  it("pods and service accounts do not mount a token automatically", () => {
    const pod = POD_KINDS[0];
    if (pod === undefined) throw new Error("Pod is among the kinds");
    const with_ = (value: Value | undefined) =>
      podResource(pod, altered(soundPodSpec(), ["automountServiceAccountToken"], value) as Inputs);
    expect(found("kubernetes-service-account-token", with_(false))).toEqual([]);
    for (const value of [true, undefined])
      expect(found("kubernetes-service-account-token", with_(value))).toHaveLength(1);
    expect(found("kubernetes-service-account-token", object("ServiceAccount", {}))).toEqual([
      "automountServiceAccountToken",
    ]);
    const token = (expirationSeconds: number) =>
      podResource(pod, {
        ...soundPodSpec(),
        volumes: [{ name: "t", projected: { sources: [{ serviceAccountToken: { expirationSeconds } }] } }],
      });
    expect(found("kubernetes-service-account-token", token(3600))).toEqual([]);
    expect(found("kubernetes-service-account-token", token(86_400))).toHaveLength(1);
  });
});

describe("backup rules", () => {
  const schedule = (kind: string, cron: Value, more: Inputs = {}) =>
    resource("exai:backups:BackupSchedule", {
      name: kind,
      kind,
      schedule: cron,
      timeZone: "UTC",
      retentionDays: 30,
      ...more,
    });
  const sound = [
    schedule("full", "0 2 * * *"),
    schedule("incremental", "0 * * * *"),
    schedule("differential", "0 3 * * 0"),
  ];

  it("require all three kinds of schedules", () => {
    expect(found("backup-schedules", ...sound)).toEqual([]);
    for (const index of [0, 1, 2])
      expect(found("backup-schedules", ...sound.filter((_, other) => other !== index))).toHaveLength(1);
    for (const [index, cron] of [
      [0, "0 2 * * 1-5"],
      [1, "0 8-18 * * *"],
      [2, "0 3 1 * *"],
      [0, "0 2 31 2 *"],
      [0, "daily"],
      [1, "*/90 * * * *"],
    ] as const)
      expect(
        found(
          "backup-schedules",
          ...sound.map((one, other) => (other === index ? { ...one, inputs: { ...one.inputs, schedule: cron } } : one)),
        ),
        cron,
      ).toEqual(index === 1 && cron === "*/90 * * * *" ? [] : ["schedule"]);
  });

  it("do not count an unknown schedule", () => {
    expect(found("backup-schedules", ...sound.slice(1), schedule("full", new Unknown("schedule")))).toHaveLength(1);
  });

  it("require a time zone and a retention within limits", () => {
    for (const zone of ["", "EST5", "+02:00", "Mars/Olympus", undefined])
      expect(
        found("backup-time-zones", schedule("full", "0 2 * * *", altered({}, ["timeZone"], zone ?? null) as Inputs)),
        String(zone),
      ).toEqual(["timeZone"]);
    expect(found("backup-time-zones", schedule("full", "0 2 * * *", { timeZone: "Europe/Berlin" }))).toEqual([]);
    for (const days of [6, 91, "forever", null])
      expect(found("backup-retention", schedule("full", "0 2 * * *", { retentionDays: days }))).toEqual([
        "retentionDays",
      ]);
    for (const days of [7, 90])
      expect(found("backup-retention", schedule("full", "0 2 * * *", { retentionDays: days }))).toEqual([]);
  });

  it.each([
    ["0 2 * * *", 1440],
    ["@hourly", 60],
    ["*/15 * * * *", 15],
    ["0 3 * * sun", 10_080],
    ["0 3 * * 7", 10_080],
    ["0 0,12 * * *", 720],
    ["30 4 1,15 * 5", 10_080],
  ])("the longest gap of %s is %i minutes", (cron, minutes) => {
    expect(longestGap(parseCron(cron, "debian"), "UTC").minutes).toBe(minutes);
  });

  it.each(["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "5-1 * * * *", "a * * * *", "*/0 * * * *"])(
    "%j is not a schedule",
    (cron) => {
      expect(() => parseCron(cron, "debian")).toThrow();
    },
  );
});

describe("secret rules", () => {
  const random = "q7Zk2Lw9XbT4mVh8Rd3NpY6cJs1FgA5e";

  it.each([
    ["API_KEY", "some-literal-key"],
    ["DB_PASSWORD", "hunter2hunter2"],
    ["OTHER", `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLXRlc3Q`],
    ["URL", "postgres://app:s3cretpass@db/app"],
    ["KEY", ["-----BEGIN", "PRIVATE KEY-----"].join(" ")],
    ["AWS", `AKIAABCDEFGHIJKLMNOP`],
    ["ANY", random],
  ])("%s=%s is a credential", (name, value) => {
    expect(credentialIn(value, name)).toBeDefined();
  });

  it.each([
    ["API_KEY_FILE", "/run/secrets/exai/key"],
    ["KIMI_API_KEY", ""],
    ["TOKEN_TTL", "3600"],
    ["IMAGE", `ghcr.io/org/exai@sha256:${"0123456789abcdef".repeat(4)}`],
    ["LOG_LEVEL", "info"],
    ["REQUEST", "5d9f0c1e-8a34-4c1e-9d55-2f6b7c8d9e0f"],
    ["RULE", "exai_http_request_duration_seconds_bucket"],
    ["URL", "https://api.example.com/v1"],
    ["PASSWORD", "$(DB_PASSWORD)"],
  ])("%s=%s is not a credential", (name, value) => {
    expect(credentialIn(value, name)).toBeUndefined();
  });

  it("find credentials in all readable places, and never show them", () => {
    const map = resource("kubernetes:core/v1:ConfigMap", {
      metadata: { namespace: "exai", annotations: { a: random } },
      data: { "app.conf": `key = ${random}` },
    });
    const container = resource(DOCKER, {
      ...soundDocker(),
      envs: [`SOME_TOKEN=${random}`],
      command: ["serve", `--key=${random}`],
      uploads: [{ file: "/etc/app.conf", content: random }],
    });
    expect(found("secret-literals", map)).toEqual(["metadata.annotations.a", 'data["app.conf"]']);
    expect(found("secret-literals", container)).toEqual(["envs[0]", "command[1]", "uploads[0].content"]);
    expect(
      JSON.stringify(
        outcome(rule("secret-literals"), "prod", map, container).findings.map(({ message, fix }) => [message, fix]),
      ),
    ).not.toContain(random);
  });

  it("require that secrets are marked, and mounted as files", () => {
    const upload = (content: Value) =>
      resource(DOCKER, { ...soundDocker(), uploads: [{ file: "/run/secrets/exai/key", content }] });
    expect(found("secret-marks", upload(new Secret("x")))).toEqual([]);
    expect(found("secret-marks", upload("x"))).toEqual(["uploads[0].content"]);
    expect(found("secret-marks", upload(new Unknown("x"))), "unknown and unmarked").toEqual(["uploads[0].content"]);
    expect(found("secret-environment", resource(DOCKER, { ...soundDocker(), envs: [new Secret("KEY=x")] }))).toEqual([
      "envs[0]",
    ]);
  });

  it("allow the service-role key in the back end only", () => {
    const labelled = (component: string) =>
      resource(DOCKER, {
        ...soundDocker(),
        labels: [{ label: "exai.component", value: component }],
        envs: ["SUPABASE_SERVICE_ROLE_KEY_FILE=/run/secrets/exai/key"],
      });
    expect(found("service-role-key", labelled("server"))).toEqual([]);
    expect(found("service-role-key", labelled("router"))).toEqual(["envs[0]"]);
    const functions = resource("supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets", {
      secrets: [{ name: "SERVICE_ROLE_KEY", value: new Secret("x") }],
    });
    expect(found("service-role-key", functions)).toEqual(["secrets[0].name"]);
  });
});
