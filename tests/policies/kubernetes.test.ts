import { describe, expect, it } from "vitest";
import { Unknown, type Inputs, type Value } from "../../contract/graph.ts";
import type { Rule } from "../../policies/model/rule.ts";
import { RULES } from "../../policies/rules/index.ts";
import { altered, outcome, POD_KINDS, podResource, resource, soundPodSpec } from "./support.ts";

// cspell:ignore dapr daprd hugepages katacontainers mittwald

type Path = readonly (string | number)[];

const POD_RULES = RULES.filter(
  (rule) => rule.scope === "resource" && (rule.name.startsWith("kubernetes-") || rule.name.startsWith("image-")),
);
const rule = (name: string): Rule => {
  const found = RULES.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no rule ${name}`);
  return found;
};

/** Faults of a container: rule, path in the container, bad value (undefined removes it). */
const CONTAINER_FAULTS: readonly (readonly [name: string, path: Path, value: Value | undefined])[] = [
  ["kubernetes-run-as-non-root", ["securityContext", "runAsNonRoot"], false],
  ["kubernetes-run-as-non-root", ["securityContext", "runAsNonRoot"], "true"],
  ["kubernetes-run-as-user", ["securityContext", "runAsUser"], 0],
  ["kubernetes-run-as-user", ["securityContext", "runAsGroup"], 0],
  ["kubernetes-high-user-id", ["securityContext", "runAsUser"], 1000],
  ["kubernetes-privilege-escalation", ["securityContext", "allowPrivilegeEscalation"], true],
  ["kubernetes-privilege-escalation", ["securityContext", "allowPrivilegeEscalation"], undefined],
  ["kubernetes-privileged", ["securityContext", "privileged"], true],
  ["kubernetes-capabilities", ["securityContext", "capabilities"], undefined],
  ["kubernetes-capabilities", ["securityContext", "capabilities", "drop"], ["all"]],
  ["kubernetes-capabilities", ["securityContext", "capabilities", "add"], ["NET_BIND_SERVICE", "SYS_ADMIN"]],
  ["kubernetes-seccomp", ["securityContext", "seccompProfile"], { type: "Unconfined" }],
  ["kubernetes-host-ports", ["ports"], [{ containerPort: 8080, hostPort: 8080 }]],
  ["kubernetes-probe-hosts", ["livenessProbe", "httpGet", "host"], "169.254.169.254"],
  ["kubernetes-probe-hosts", ["lifecycle", "preStop"], { tcpSocket: { host: "node", port: 1 } }],
  ["kubernetes-host-process", ["securityContext", "windowsOptions"], { hostProcess: true }],
  ["kubernetes-proc-mount", ["securityContext", "procMount"], "Unmasked"],
  ["kubernetes-selinux", ["securityContext", "seLinuxOptions"], { type: "spc_t" }],
  ["kubernetes-selinux", ["securityContext", "seLinuxOptions"], { user: "system_u" }],
  ["kubernetes-selinux", ["securityContext", "seLinuxOptions"], { role: "system_r" }],
  ["kubernetes-apparmor", ["securityContext", "appArmorProfile"], { type: "Unconfined" }],
  ["kubernetes-read-only-root", ["securityContext", "readOnlyRootFilesystem"], undefined],
  ["image-digests", ["image"], "ghcr.io/org/exai:1.0.0"],
  ["image-digests", ["image"], "ghcr.io/org/exai@sha256:abc"],
  ["image-tags", ["image"], "ghcr.io/org/exai"],
  ["image-tags", ["image"], "ghcr.io/org/exai:latest"],
  ["image-tags", ["image"], "localhost:5000/exai"],
  ["image-registries", ["image"], "evil.example.com/exai:1"],
  ["image-registries", ["image"], undefined],
  ["kubernetes-pod-fields", ["securityContext", "Privileged"], true],
  ["kubernetes-pod-fields", ["volumeDevices"], [{ name: "a", devicePath: "/dev/a" }]],
  ["kubernetes-pod-fields", ["volumeMounts"], [{ name: "a", mountPath: "/a", mountPropagation: "Bidirectional" }]],
  ["kubernetes-pod-fields", ["resources", "claims"], [{ name: "gpu" }]],
  ["kubernetes-pod-fields", ["resources", "limits", "smarter-devices/fuse"], 1],
  ["kubernetes-pod-fields", ["env"], [{ name: "A", valueFrom: { aSourceOfNextYear: { key: "a" } } }]],
];

/** The same for fields that ephemeral containers cannot have. */
const LASTING_FAULTS: typeof CONTAINER_FAULTS = [
  ["kubernetes-resources", ["resources"], undefined],
  ["kubernetes-resources", ["resources", "limits", "memory"], undefined],
  ["kubernetes-resources", ["resources", "limits", "cpu"], "0"],
  ["kubernetes-resources", ["resources", "limits", "memory"], "100m"],
  ["kubernetes-resources", ["resources", "requests", "memory"], "64m"],
  ["kubernetes-resources", ["resources", "requests", "cpu"], "much"],
];

const POD_FAULTS: typeof CONTAINER_FAULTS = [
  ["kubernetes-run-as-non-root", ["securityContext", "runAsNonRoot"], false],
  ["kubernetes-run-as-user", ["securityContext", "runAsGroup"], 0],
  ["kubernetes-run-as-user", ["securityContext", "fsGroup"], 0],
  ["kubernetes-run-as-user", ["securityContext", "supplementalGroups"], [20001, 0]],
  ["kubernetes-run-as-user", ["securityContext", "supplementalGroups"], [999]],
  ["kubernetes-run-as-user", ["securityContext", "runAsUser"], 0],
  ["kubernetes-seccomp", ["securityContext", "seccompProfile"], { type: "Unconfined" }],
  ["kubernetes-host-namespaces", ["hostNetwork"], true],
  ["kubernetes-host-namespaces", ["hostPID"], true],
  ["kubernetes-host-namespaces", ["hostIPC"], true],
  ["kubernetes-host-process", ["securityContext", "windowsOptions"], { hostProcess: true }],
  ["kubernetes-volume-types", ["volumes", 0], { name: "run", hostPath: { path: "/run" } }],
  ["kubernetes-volume-types", ["volumes", 0], { name: "share", nfs: { server: "files", path: "/" } }],
  ["kubernetes-sysctls", ["securityContext", "sysctls"], [{ name: "kernel.msgmax", value: "65536" }]],
  ["kubernetes-selinux", ["securityContext", "seLinuxOptions"], { type: "spc_t" }],
  ["kubernetes-apparmor", ["securityContext", "appArmorProfile"], { type: "Unconfined" }],
  ["kubernetes-pod-fields", ["shareProcessNamespace"], true],
  ["kubernetes-pod-fields", ["hostAliases"], [{ ip: "10.0.0.1", hostnames: ["database"] }]],
  ["kubernetes-pod-fields", ["nodeName"], "control-plane"],
  ["kubernetes-pod-fields", ["volumes"], [{ name: "a", csi: { driver: "hostpath.csi.k8s.io" } }]],
  [
    "kubernetes-pod-fields",
    ["volumes"],
    [{ name: "a", projected: { sources: [{ podCertificate: { signerName: "a/b" } }] } }],
  ],
  ["kubernetes-pod-fields", ["dnsConfig", "nameservers"], ["10.0.0.1"]],
  ["kubernetes-pod-fields", ["dnsConfig", "searches"], ["example.com"]],
  ["kubernetes-pod-fields", ["runtimeClassName"], "runc-privileged"],
  ["kubernetes-pod-fields", ["runtimeClassName"], "kata-host"],
  ["kubernetes-pod-fields", ["setHostnameAsFQDN"], true],
  ["kubernetes-pod-fields", ["nodeSelector"], { "node-role.kubernetes.io/control-plane": "" }],
  ["kubernetes-pod-fields", ["tolerations"], [{ key: "node-role.kubernetes.io/master", operator: "Exists" }]],
  ["kubernetes-cloud-identities", ["volumes"], [token("sts.amazonaws.com")]],
  ["kubernetes-cloud-identities", ["volumes"], [token("project.svc.id.goog")]],
  ["kubernetes-pod-fields", ["priorityClassName"], "system-node-critical"],
  ["kubernetes-pod-fields", ["schedulerName"], "mine"],
  ["kubernetes-pod-fields", ["aFieldOfNextYear"], true],
];

function token(audience: string): Value {
  return {
    name: "t",
    projected: { sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 3600, audience } }] },
  };
}

const LISTS = ["containers", "initContainers", "ephemeralContainers"] as const;

describe("a pod without faults", () => {
  it.each(POD_KINDS.map((kind) => [kind[0], kind] as const))(
    "%s passes every rule, and every rule evaluates it",
    (_, kind) => {
      for (const candidate of POD_RULES) {
        if (
          ["kubernetes-rbac-wildcards", "kubernetes-rbac-powers", "kubernetes-persistent-volumes"].includes(
            candidate.name,
          )
        )
          continue;
        const result = outcome(candidate, "prod", podResource(kind, soundPodSpec()));
        expect(result.findings, candidate.name).toEqual([]);
        expect(result.deferred, candidate.name).toEqual([]);
        expect(result.evaluated, candidate.name).toBeGreaterThan(0);
      }
    },
  );
});

describe.each(POD_KINDS.map((kind) => [kind[0], kind] as const))("%s", (_, kind) => {
  const failing = (name: string, path: Path, value: Value | undefined) =>
    outcome(rule(name), "prod", podResource(kind, altered(soundPodSpec(), path, value) as Record<string, Value>))
      .findings;

  it.each(LISTS)("reports every fault of one of its %s", (list) => {
    const faults = list === "ephemeralContainers" ? CONTAINER_FAULTS : [...CONTAINER_FAULTS, ...LASTING_FAULTS];
    for (const [name, path, value] of faults) {
      const findings = failing(name, [list, 0, ...path], value);
      expect(findings.length, `${name} ${path.join(".")}`).toBeGreaterThan(0);
      expect(findings[0]?.place.path, name).toContain(`${list}[0]`);
    }
  });

  it("reports every fault of the pod", () => {
    for (const [name, path, value] of POD_FAULTS)
      expect(failing(name, path, value).length, `${name} ${path.join(".")}`).toBeGreaterThan(0);
  });

  it("defers an unknown list of containers", () => {
    for (const name of new Set(CONTAINER_FAULTS.map(([fault]) => fault))) {
      const result = outcome(
        rule(name),
        "prod",
        podResource(
          kind,
          altered(soundPodSpec(), ["initContainers"], new Unknown("spec.initContainers")) as Record<string, Value>,
        ),
      );
      expect(result.deferred.length, name).toBeGreaterThan(0);
    }
  });
});

describe("unknown values", () => {
  const deployment = POD_KINDS[3];
  if (deployment === undefined) throw new Error("Deployment is among the kinds");

  it("an unknown security context of one container does not hide a fault of the next one", () => {
    const spec = soundPodSpec();
    const containers = [
      ...(spec.containers as Value[]),
      {
        ...(spec.containers as Record<string, Value>[])[0],
        name: "second",
        securityContext: { runAsNonRoot: false },
      },
    ];
    const hidden = altered({ ...spec, containers }, ["containers", 0, "securityContext"], new Unknown("x"));
    const result = outcome(
      rule("kubernetes-run-as-non-root"),
      "prod",
      podResource(deployment, hidden as Record<string, Value>),
    );
    expect(result.findings.map((finding) => finding.place.path)).toEqual([
      "spec.template.spec.containers[1].securityContext.runAsNonRoot",
    ]);
    expect(result.deferred).toHaveLength(1);
  });
});

describe("annotations, names and roles", () => {
  const pod = POD_KINDS[0];
  if (pod === undefined) throw new Error("Pod is among the kinds");

  it("the older AppArmor annotation cannot disable the profile", () => {
    const annotation = { "container.apparmor.security.beta.kubernetes.io/main": "unconfined" };
    expect(
      outcome(rule("kubernetes-apparmor"), "prod", podResource(pod, soundPodSpec(), { annotations: annotation }))
        .findings,
    ).toHaveLength(1);
  });

  const annotated = (name: string, annotations: Inputs) =>
    outcome(rule(name), "prod", podResource(pod, soundPodSpec(), { annotations })).findings.length;

  it.each([
    [{ "k8s.v1.cni.cncf.io/networks": "host" }],
    [{ "devices.nri.io/container.main": "- path: /dev/fuse" }],
    [{ "io.katacontainers.config.hypervisor.kernel_params": "agent.debug_console" }],
    [{ "sidecar.istio.io/userVolume": "[]" }],
    [{ "sidecar.istio.io/proxyImage": "evil.example.com/proxy:1" }],
    [{ "vault.hashicorp.com/agent-image": "evil.example.com/vault:1" }],
    [{ "vault.hashicorp.com/agent-inject-command-a": "sh" }],
    [{ "dapr.io/sidecar-image": "evil.example.com/daprd:1" }],
    [{ "replicator.v1.mittwald.de/replicate-to": ".*" }],
    [{ "tailscale.com/expose": "true" }],
  ])("annotations do not reach the node or change what is added: %j", (annotations) => {
    expect(annotated("kubernetes-annotations", annotations)).toBeGreaterThan(0);
  });

  it("usual annotations pass", () => {
    const usual = {
      ...{ "prometheus.io/scrape": "true", "checksum/config": "abc", "example.com/owner": "team-a" },
      ...{ "sidecar.istio.io/inject": "false", "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true" },
      ...{ "vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/agent-inject-secret-a": "secret/a" },
      ...{ "linkerd.io/inject": "enabled", "config.linkerd.io/proxy-cpu-limit": "1", "dapr.io/app-id": "a" },
      ...{ "kubernetes.io/egress-bandwidth": "10M", "tailscale.com/expose": "false" },
    };
    expect(annotated("kubernetes-annotations", usual)).toBe(0);
    expect(annotated("kubernetes-cloud-identities", usual)).toBe(0);
  });

  it.each([
    ["annotations", "eks.amazonaws.com/role-arn", "arn:aws:iam::123456789012:role/a"],
    ["annotations", "iam.amazonaws.com/role", "a"],
    ["annotations", "iam.gke.io/gcp-service-account", "a@b.iam.gserviceaccount.com"],
    ["annotations", "azure.workload.identity/client-id", "00000000-0000-0000-0000-000000000001"],
    ["labels", "azure.workload.identity/use", "true"],
    ["annotations", "example.com/identity", "arn:aws-cn:iam::123456789012:role/a"],
  ])("no object gets an identity of a cloud: %s %s", (map, key, value) => {
    const account = (given: string) =>
      outcome(
        rule("kubernetes-cloud-identities"),
        "prod",
        resource("kubernetes:core/v1:ServiceAccount", { metadata: { namespace: "exai", [map]: { [key]: given } } }),
      ).findings.length;
    expect(account(value)).toBe(1);
    expect(account("false")).toBe(0);
  });

  it("what a pod may ask of its node is limited to what the rules know", () => {
    const asked = (more: Record<string, Value>) =>
      outcome(rule("kubernetes-pod-fields"), "prod", podResource(pod, { ...soundPodSpec(), ...more })).findings.length;
    expect(asked({ runtimeClassName: "kata-qemu" })).toBe(0);
    expect(
      asked({ resources: { limits: { cpu: "1", memory: "1Gi", "nvidia.com/gpu": 1, "hugepages-2Mi": "4Mi" } } }),
    ).toBe(0);
    expect(asked({ dnsConfig: { searches: ["a.svc.cluster.local"] } })).toBe(0);
    expect(asked({ tolerations: [{ key: "dedicated", operator: "Equal", value: "batch" }] })).toBe(0);
    expect(asked({ tolerations: [{ operator: "Exists" }] })).toBe(1);
    expect(asked({ setHostnameAsFQDN: true, hostname: "a", subdomain: "b" })).toBe(0);
    expect(asked({ setHostnameAsFQDN: true, hostname: "a".repeat(40), subdomain: "b" })).toBe(1);
    expect(asked({ setHostnameAsFQDN: false })).toBe(0);
  });

  it("objects are not in the namespaces of the cluster", () => {
    const object = (namespace: Value) => resource("kubernetes:core/v1:ConfigMap", { metadata: { namespace } });
    const found = (namespace: Value) =>
      outcome(rule("kubernetes-system-namespaces"), "prod", object(namespace)).findings.length;
    expect([found("kube-system"), found("kube-public"), found("exai")]).toEqual([1, 1, 0]);
  });

  it("objects must not be in namespace default", () => {
    const object = (namespace: Value) => resource("kubernetes:core/v1:Service", { metadata: { namespace } });
    expect(outcome(rule("kubernetes-default-namespace"), "prod", object("default")).findings).toHaveLength(1);
    expect(outcome(rule("kubernetes-default-namespace"), "prod", object("exai")).findings).toEqual([]);
    expect(
      outcome(rule("kubernetes-default-namespace"), "prod", object(new Unknown("metadata.namespace"))).deferred,
    ).toHaveLength(1);
  });

  it("roles list their permissions", () => {
    const role = (verbs: Value) =>
      resource("kubernetes:rbac.authorization.k8s.io/v1:Role", {
        rules: [{ apiGroups: [""], resources: ["configmaps"], verbs }],
      });
    expect(outcome(rule("kubernetes-rbac-wildcards"), "prod", role(["get", "*"])).findings).toHaveLength(1);
    expect(outcome(rule("kubernetes-rbac-wildcards"), "prod", role(["bind"])).findings).toHaveLength(1);
    expect(outcome(rule("kubernetes-rbac-wildcards"), "prod", role(["get"])).findings).toEqual([]);
    const binding = resource("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", {
      roleRef: { name: "cluster-admin" },
    });
    expect(outcome(rule("kubernetes-rbac-wildcards"), "prod", binding).findings).toHaveLength(1);
  });
});

describe("cases from other test suites", () => {
  it("reports pods of a custom kind in the host's namespaces, even without containers", () => {
    const template = { metadata: {}, spec: { hostPID: true } };
    const custom = resource("kubernetes:apps.openshift.io/v1:DeploymentConfig", { spec: { template } });
    expect(outcome(rule("kubernetes-host-namespaces"), "prod", custom).findings).toHaveLength(1);
    const other = resource("kubernetes:argoproj.io/v1alpha1:ApplicationSet", {
      spec: { template: { spec: { project: "default" } } },
    });
    expect(outcome(rule("kubernetes-host-namespaces"), "prod", other).evaluated).toBe(0);
  });

  it("requires probes for long-running pods only", () => {
    const spec = altered(soundPodSpec(), ["containers", 0, "readinessProbe"], undefined) as Record<string, Value>;
    const asked = (kind: (typeof POD_KINDS)[number], more: Record<string, Value> = {}) =>
      outcome(rule("workload-probes"), "prod", podResource(kind, { ...spec, ...more })).findings.length;
    for (const kind of POD_KINDS) {
      const ends = /:(Job|CronJob)$/.test(kind[0]);
      expect(asked(kind), kind[0]).toBe(ends ? 0 : 1);
      expect(asked(kind, { restartPolicy: "Never" }), kind[0]).toBe(0);
    }
  });

  it("accepts any UID in a separate user namespace", () => {
    const [pod] = POD_KINDS;
    if (pod === undefined) throw new Error("Pod is among the kinds");
    const spec = altered(soundPodSpec(), ["containers", 0, "securityContext", "runAsUser"], 1000);
    const asked = (value: Value) =>
      outcome(
        rule("kubernetes-high-user-id"),
        "prod",
        podResource(pod, altered(spec, ["hostUsers"], value) as Record<string, Value>),
      ).findings.length;
    expect([asked(true), asked(false)]).toEqual([1, 0]);
  });

  it("recognises keys of any service as credentials by their names", () => {
    const data = { AZURE_BATCH_KEY: "xxxxx", OCI_CLI_KEY_CONTENT: "xxxxx", CACHE_KEY: "sessions", note: "--- BEGIN" };
    const map = resource("kubernetes:core/v1:ConfigMap", { metadata: { namespace: "exai" }, data });
    expect(outcome(rule("secret-literals"), "prod", map).findings.map(({ place }) => place.path)).toEqual([
      "data.AZURE_BATCH_KEY",
      "data.OCI_CLI_KEY_CONTENT",
    ]);
  });
});
