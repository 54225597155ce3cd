import { describe, expect, it } from "vitest";
import { type Inputs, type Resource } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { outcome, resource, soundPodSpec } from "./support.ts";

// cspell:ignore csidrivers helmcharts runtimeclasses subjectaccessreviews

const found = (name: string, ...resources: readonly Resource[]) => {
  const rule = RULES.find((candidate) => candidate.name === name);
  if (rule === undefined) throw new Error(name);
  return outcome(rule, "prod", ...resources).findings.map(({ place }) => place.path);
};
const RBAC = "kubernetes:rbac.authorization.k8s.io/v1";
const role = (rule: Inputs, kind = "Role", more: Inputs = {}) =>
  resource(`${RBAC}:${kind}`, { metadata: { name: "reader", namespace: "exai" }, rules: [rule], ...more });

describe("permissions", () => {
  it.each([
    ["", ["secrets"], ["get"]],
    ["", ["secrets"], ["list"]],
    ["", ["pods/exec"], ["get"]],
    ["", ["pods/attach"], ["create"]],
    ["", ["pods/ephemeralcontainers"], ["patch"]],
    ["", ["pods"], ["create"]],
    ["apps", ["deployments"], ["patch"]],
    ["batch", ["cronjobs"], ["update"]],
    ["", ["serviceaccounts/token"], ["create"]],
    ["", ["users"], ["impersonate"]],
    ["", ["nodes/proxy"], ["get"]],
    ["certificates.k8s.io", ["certificatesigningrequests/approval"], ["update"]],
    ["admissionregistration.k8s.io", ["mutatingwebhookconfigurations"], ["create"]],
    ["rbac.authorization.k8s.io", ["rolebindings"], ["create"]],
    ["rbac.authorization.k8s.io", ["clusterroles"], ["escalate"]],
    ["networking.k8s.io", ["networkpolicies"], ["delete"]],
    ["", ["pods/binding"], ["create"]],
    ["", ["services"], ["patch"]],
    ["argoproj.io", ["rollouts"], ["create"]],
    ["gateway.envoyproxy.io", ["envoyproxies"], ["patch"]],
    ["security.openshift.io", ["securitycontextconstraints"], ["use"]],
    ["helm.cattle.io", ["helmcharts"], ["create"]],
    ["example.com", ["widgets"], ["patch"]],
    ["node.k8s.io", ["runtimeclasses"], ["create"]],
    ["storage.k8s.io", ["csidrivers"], ["create"]],
    ["", ["serviceaccounts"], ["patch"]],
    ["", ["persistentvolumeclaims"], ["deletecollection"]],
    ["", ["nodes/log"], ["get"]],
    ["", ["*/exec"], ["create"]],
    ["*", ["secrets"], ["get"]],
    ["", ["secrets"], ["*"]],
  ])("of group %j on %j with %j give others", (group, resources, verbs) => {
    expect(found("kubernetes-rbac-powers", role({ apiGroups: [group], resources, verbs })).length).toBeGreaterThan(0);
  });

  it.each([
    [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] }],
    [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"], resourceNames: ["tls"] }],
    [{ apiGroups: ["example.com"], resources: ["secrets"], verbs: ["get"] }],
    [{ apiGroups: ["argoproj.io"], resources: ["rollouts"], verbs: ["get"] }],
    [{ apiGroups: ["gateway.envoyproxy.io"], resources: ["backendtrafficpolicies"], verbs: ["patch"] }],
    [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "update"] }],
    [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update", "delete"] }],
    [{ apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] }],
    [{ apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] }],
    [{ apiGroups: ["gateway.networking.k8s.io"], resources: ["httproutes"], verbs: ["patch"] }],
    [{ apiGroups: ["example.com"], resources: ["widgets"], verbs: ["get", "list", "watch"] }],
  ])("%j give none", (rule) => {
    expect(found("kubernetes-rbac-powers", role(rule))).toEqual([]);
  });

  it("of other roles are not known: aggregation", () => {
    const aggregated = role({}, "ClusterRole", { rules: [], aggregationRule: { clusterRoleSelectors: [] } });
    expect(found("kubernetes-rbac-powers", aggregated)).toEqual(["aggregationRule"]);
    const extending = role({}, "ClusterRole", {
      rules: [],
      metadata: { name: "x", labels: { "rbac.authorization.k8s.io/aggregate-to-view": "true" } },
    });
    expect(found("kubernetes-rbac-powers", extending)).toHaveLength(1);
  });

  it("every path of the API is a wildcard, and so is a part of every resource", () => {
    expect(found("kubernetes-rbac-wildcards", role({ nonResourceURLs: ["/*"], verbs: ["get"] }))).toHaveLength(1);
    expect(
      found("kubernetes-rbac-wildcards", role({ apiGroups: [""], resources: ["*/scale"], verbs: ["get"] })),
    ).toHaveLength(1);
  });
});

describe("bindings", () => {
  const own = role({ apiGroups: [""], resources: ["pods"], verbs: ["get"] });
  const binding = (roleRef: Inputs, subject: Inputs, kind = "RoleBinding") =>
    resource(`${RBAC}:${kind}`, { metadata: { name: "b", namespace: "exai" }, roleRef, subjects: [subject] });
  const READER = { kind: "Role", name: "reader" };
  const ACCOUNT = { kind: "ServiceAccount", name: "tool" };
  const judged = (roleRef: Inputs, subject: Inputs, kind?: string) =>
    found("kubernetes-rbac-bindings", own, binding(roleRef, subject, kind));

  it("refer to a role of the stack, with any name", () => {
    expect(judged(READER, ACCOUNT)).toEqual([]);
    expect(judged({ kind: "ClusterRole", name: "view" }, ACCOUNT)).toEqual([]);
    const edit = { ...own, inputs: { ...own.inputs, metadata: { name: "edit", namespace: "exai" } } };
    const local = binding({ kind: "Role", name: "edit" }, ACCOUNT);
    expect(found("kubernetes-rbac-wildcards", edit, local)).toEqual([]);
    expect(found("kubernetes-rbac-bindings", edit, local)).toEqual([]);
  });

  it.each([
    [{ kind: "ClusterRole", name: "system:controller:clusterrole-aggregation-controller" }],
    [{ kind: "ClusterRole", name: "reader" }],
    [{ kind: "Role", name: "other" }],
  ])("do not refer to a role that the stack does not declare: %j", (roleRef) => {
    expect(judged(roleRef, ACCOUNT, "ClusterRoleBinding")).toEqual(["roleRef.name"]);
  });

  it.each([
    [{ kind: "Group", name: "system:unauthenticated" }],
    [{ kind: "Group", name: "system:authenticated" }],
    [{ kind: "Group", name: "system:serviceaccounts:exai" }],
    [{ kind: "Group", name: "system:masters" }],
    [{ kind: "User", name: "system:anonymous" }],
    [{ kind: "ServiceAccount", name: "default" }],
  ])("do not give permissions to %j", (subject) => {
    expect(judged(READER, subject)).toEqual(["subjects[0].name"]);
  });
});

describe("what a sound pod can be given from outside", () => {
  it("a Secret does not hold a token of a service account", () => {
    const secret = (type: string) => resource("kubernetes:core/v1:Secret", { metadata: { name: "s" }, type });
    expect(found("kubernetes-service-account-token", secret("kubernetes.io/service-account-token"))).toEqual(["type"]);
    expect(found("kubernetes-service-account-token", secret("bootstrap.kubernetes.io/token"))).toEqual(["type"]);
    expect(found("kubernetes-service-account-token", secret("Opaque"))).toEqual([]);
  });

  it("a persistent volume is not a directory of the node", () => {
    const volume = (spec: Inputs) => resource("kubernetes:core/v1:PersistentVolume", { metadata: { name: "v" }, spec });
    const judged = (spec: Inputs) => found("kubernetes-persistent-volumes", volume(spec)).length;
    expect(judged({ csi: { driver: "ebs.csi.aws.com", volumeHandle: "v" } })).toBe(0);
    expect(judged({ nfs: { server: "files", path: "/" } })).toBe(0);
    for (const spec of [
      { hostPath: { path: "/" } },
      { local: { path: "/mnt" } },
      { csi: { driver: "hostpath.csi.k8s.io" } },
      { flexVolume: { driver: "x" } },
      {},
    ])
      expect(judged(spec), JSON.stringify(spec)).toBe(1);
  });

  it("a second type of a volume does not hide the first one", () => {
    const spec = { ...soundPodSpec(), volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/" } }] };
    expect(found("kubernetes-volume-types", resource("kubernetes:core/v1:Pod", { spec }))).toHaveLength(1);
  });
});

describe("admission webhooks", () => {
  const SOUND: Inputs = {
    failurePolicy: "Fail",
    timeoutSeconds: 5,
    clientConfig: { service: { name: "judge", namespace: "judge" } },
    namespaceSelector: {
      matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", "judge"] }],
    },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
  };
  const judged = (changes: Inputs, ...others: readonly Resource[]) =>
    found(
      "kubernetes-admission-webhooks",
      resource("kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration", {
        metadata: { name: "w" },
        webhooks: [{ ...SOUND, ...changes }],
      }),
      ...others,
    ).length;

  it("fail closed, and do not stop themselves or the cluster", () => {
    expect(judged({})).toBe(0);
    expect(judged({ failurePolicy: "Ignore" })).toBe(1);
    expect(judged({ namespaceSelector: {} })).toBe(2);
    expect(judged({ clientConfig: { url: "https://example.com" } })).toBe(1);
    expect(judged({ rules: [{ resources: ["*"] }] })).toBe(1);
    expect(judged({ timeoutSeconds: 30 })).toBe(1);
  });

  it("are served by a workload that keeps two replicas", () => {
    const metadata = { name: "judge", namespace: "judge" };
    const service = resource("kubernetes:core/v1:Service", { metadata, spec: { selector: { app: "judge" } } });
    const workload = (replicas: number) =>
      resource("kubernetes:apps/v1:Deployment", {
        metadata,
        spec: { replicas, template: { metadata: { labels: { app: "judge" } }, spec: soundPodSpec() } },
      });
    expect(judged({}, service, workload(2))).toBe(0);
    expect(judged({}, service, workload(1))).toBe(1);
    const scaler = resource("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", {
      metadata,
      spec: { scaleTargetRef: { kind: "Deployment", name: "judge" }, minReplicas: 1, maxReplicas: 5 },
    });
    expect(judged({}, service, workload(2), scaler)).toBe(1);
  });
});
