import { describe, expect, it } from "vitest";
import { Unknown, type Value } from "../../contract/graph.ts";
import type { Rule } from "../../policies/model/rule.ts";
import { RULES } from "../../policies/rules/index.ts";
import { altered, outcome, POD_KINDS, podResource, resource, soundPodSpec } from "./support.ts";

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
  ["kubernetes-pod-fields", ["runtimeClassName"], "runc-privileged"],
  ["kubernetes-pod-fields", ["priorityClassName"], "system-node-critical"],
  ["kubernetes-pod-fields", ["schedulerName"], "mine"],
  ["kubernetes-pod-fields", ["aFieldOfNextYear"], true],
];

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
