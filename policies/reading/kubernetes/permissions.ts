import type { Reader } from "../../model/reader.ts";
import { all, any, type Truth } from "../../model/truth.ts";

// cspell:ignore clienttrafficpolicies grpcroutes localsubjectaccessreviews selfsubjectaccessreviews
// cspell:ignore selfsubjectreviews selfsubjectrulesreviews subjectaccessreviews tcproutes tokenreviews

/** Permissions with which a subject gains others, or reads what is not its own. */
interface Power {
  readonly group: string;
  /** `*` for all of the group. */
  readonly resources: readonly string[];
  /** Verbs that give it; all if absent. */
  readonly verbs?: readonly string[];
  /** Whether it is harmless for objects that the rule names. */
  readonly unlessNamed?: boolean;
  readonly gives: string;
}

const WRITE = ["create", "update", "patch"];
const CHANGE = [...WRITE, "delete", "deletecollection"];
const RBAC = "rbac.authorization.k8s.io";
const ADMISSION = "admissionregistration.k8s.io";
const CERTIFICATES = "certificates.k8s.io";

/** API groups of controllers that make pods, permissions, Secrets or routes of proxies of the resources that they get. */
const CONTROLLERS: Readonly<Record<string, readonly string[]>> = {
  "argoproj.io": ["*"],
  "batch.volcano.sh": ["*"],
  "external-secrets.io": ["*"],
  "gateway.envoyproxy.io": ["envoyextensionpolicies", "envoypatchpolicies", "envoyproxies"],
  "helm.toolkit.fluxcd.io": ["*"],
  "jobset.x-k8s.io": ["*"],
  "keda.sh": ["scaledjobs"],
  "kubeflow.org": ["*"],
  "kubevirt.io": ["*"],
  "kustomize.toolkit.fluxcd.io": ["*"],
  "kyverno.io": ["*"],
  "monitoring.coreos.com": ["alertmanagers", "prometheuses", "prometheusagents", "thanosrulers"],
  "ray.io": ["*"],
  "serving.knative.dev": ["*"],
  "source.toolkit.fluxcd.io": ["*"],
  "tekton.dev": ["*"],
};

const POWERS: readonly Power[] = [
  ...Object.entries(CONTROLLERS).map(([group, resources]) => ({
    group,
    resources,
    verbs: WRITE,
    gives: "lets a controller act for it, with the controller's permissions",
  })),
  {
    group: "security.openshift.io",
    resources: ["securitycontextconstraints"],
    verbs: ["use", ...CHANGE],
    gives: "runs privileged pods",
  },
  { group: "", resources: ["secrets"], verbs: ["list", "watch"], gives: "reads all Secrets" },
  { group: "", resources: ["secrets"], verbs: ["get"], unlessNamed: true, gives: "reads any Secret" },
  {
    group: "",
    resources: ["secrets"],
    verbs: WRITE,
    gives: "creates tokens of any service account, or replaces credentials",
  },
  { group: "", resources: ["pods/exec", "pods/attach", "pods/ephemeralcontainers"], gives: "runs programs in pods" },
  { group: "", resources: ["pods/portforward", "pods/proxy", "services/proxy"], gives: "passes network policies" },
  { group: "", resources: ["nodes/proxy"], gives: "runs programs in every pod of a node" },
  { group: "", resources: ["nodes", "nodes/status"], verbs: CHANGE, gives: "moves pods to nodes of its choice" },
  { group: "", resources: ["bindings", "pods/binding"], verbs: ["create"], gives: "moves pods to nodes of its choice" },
  { group: "", resources: ["serviceaccounts/token"], verbs: ["create"], gives: "creates tokens of service accounts" },
  { group: "", resources: ["serviceaccounts", "users", "groups"], verbs: ["impersonate"], gives: "acts as others" },
  {
    group: "authentication.k8s.io",
    resources: ["uids", "userextras"],
    verbs: ["impersonate"],
    gives: "acts as others",
  },
  {
    group: "",
    resources: ["pods", "replicationcontrollers", "podtemplates", "pods/status"],
    verbs: WRITE,
    gives: "runs pods with any service account and Secret of the namespace",
  },
  {
    group: "apps",
    resources: ["deployments", "daemonsets", "statefulsets", "replicasets"],
    verbs: WRITE,
    gives: "runs pods with any service account and Secret of the namespace",
  },
  {
    group: "batch",
    resources: ["jobs", "cronjobs"],
    verbs: WRITE,
    gives: "runs pods with any service account and Secret of the namespace",
  },
  { group: "", resources: ["persistentvolumes"], verbs: WRITE, gives: "mounts directories of nodes" },
  {
    group: "",
    resources: ["namespaces", "namespaces/finalize"],
    verbs: CHANGE,
    gives: "removes the Pod Security of namespaces",
  },
  {
    group: "",
    resources: ["endpoints", "services", "services/status"],
    verbs: WRITE,
    gives: "redirects the traffic of Services",
  },
  {
    group: "discovery.k8s.io",
    resources: ["endpointslices"],
    verbs: WRITE,
    gives: "redirects the traffic of Services",
  },
  { group: "networking.k8s.io", resources: ["networkpolicies"], verbs: CHANGE, gives: "opens network policies" },
  {
    group: RBAC,
    resources: ["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
    verbs: [...CHANGE, "bind", "escalate"],
    gives: "changes permissions",
  },
  {
    group: CERTIFICATES,
    resources: ["certificatesigningrequests/approval", "certificatesigningrequests/status"],
    verbs: ["update", "patch"],
    gives: "issues credentials of any user",
  },
  { group: CERTIFICATES, resources: ["signers"], verbs: ["approve", "sign"], gives: "issues credentials of any user" },
  {
    group: ADMISSION,
    resources: [
      "mutatingwebhookconfigurations",
      "validatingwebhookconfigurations",
      "validatingadmissionpolicies",
      "validatingadmissionpolicybindings",
      "mutatingadmissionpolicies",
      "mutatingadmissionpolicybindings",
    ],
    verbs: CHANGE,
    gives: "reads and changes every object that is created",
  },
  {
    group: "apiextensions.k8s.io",
    resources: ["customresourcedefinitions"],
    verbs: CHANGE,
    gives: "changes or deletes custom resources of the cluster",
  },
  { group: "apiregistration.k8s.io", resources: ["apiservices"], verbs: CHANGE, gives: "answers for the API server" },
];

const READ = ["get", "list", "watch"];

/** What a subject may write without gaining anything: by API group, the resources; subresources by their full name. */
const WRITABLE: Readonly<Record<string, readonly string[]>> = {
  "": ["configmaps", "events", "persistentvolumeclaims", "pods", "pods/eviction"],
  apps: ["deployments", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"],
  "authentication.k8s.io": ["selfsubjectreviews", "tokenreviews"],
  "authorization.k8s.io": [
    "localsubjectaccessreviews",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "subjectaccessreviews",
  ],
  autoscaling: ["horizontalpodautoscalers"],
  batch: ["cronjobs", "jobs"],
  "coordination.k8s.io": ["leases"],
  "events.k8s.io": ["events"],
  "gateway.envoyproxy.io": ["backendtrafficpolicies", "clienttrafficpolicies"],
  "gateway.networking.k8s.io": [
    "gateways/status",
    "grpcroutes",
    "grpcroutes/status",
    "httproutes",
    "httproutes/status",
    "tcproutes",
  ],
  "monitoring.coreos.com": ["podmonitors", "prometheusrules", "servicemonitors"],
  "networking.k8s.io": ["ingresses", "ingresses/status"],
  policy: ["poddisruptionbudgets"],
};
/** Of {@link WRITABLE}, what holds data. */
const DATA = ["persistentvolumeclaims"];
/** Resources that show more than objects when they are read. */
const TELLING = ["nodes/log"];

/** Permissions of a rule that are neither a power nor understood to be harmless, as `verb resource.group`. */
export function notUnderstood(rule: Reader): readonly string[] {
  const texts = (key: string) =>
    rule
      .at(key)
      .each()
      .flatMap(({ text }) => (text === undefined || text.includes("*") ? [] : [text]));
  return texts("apiGroups").flatMap((group) =>
    texts("resources").flatMap((resource) =>
      texts("verbs").flatMap((verb) =>
        isUnderstoodPermission(group, resource, verb)
          ? []
          : [`${verb} ${group === "" ? resource : `${resource}.${group}`}`],
      ),
    ),
  );
}

function isUnderstoodPermission(group: string, resource: string, verb: string): boolean {
  if (group === "" && TELLING.includes(resource)) return false;
  if (READ.includes(verb)) return true;
  const isPower = POWERS.some(
    (power) =>
      power.group === group &&
      (power.resources.includes(resource) || power.resources.includes("*")) &&
      (power.verbs === undefined || power.verbs.includes(verb)),
  );
  if (isPower) return true; // It has a separate finding.
  const deletes = verb === "delete" || verb === "deletecollection";
  return WRITABLE[group]?.includes(resource) === true && !(deletes && DATA.includes(resource));
}

/** What a rule of a Role lets its subject do beyond reading its own objects: one entry for each power. */
export function powersOf(rule: Reader): readonly { readonly holds: Truth; readonly gives: string }[] {
  return POWERS.map((power) => ({
    gives: power.gives,
    holds: all(
      has(rule.at("apiGroups"), power.group),
      any(...power.resources.map((resource) => hasResource(rule.at("resources"), resource))),
      power.verbs === undefined
        ? any(
            ...rule
              .at("verbs")
              .each()
              .map((verb) => verb.isPresent),
          )
        : any(...power.verbs.map((verb) => has(rule.at("verbs"), verb))),
      power.unlessNamed === true ? rule.at("resourceNames").each().length === 0 : true,
    ),
  }));
}

function has(list: Reader, item: string): Truth {
  return list.includes(item, "*");
}

/** `*` is every resource, and `*` before a slash every resource with that subresource. */
function hasResource(list: Reader, resource: string): Truth {
  if (resource === "*") return any(...list.each().map((one) => one.isPresent));
  const [, part] = resource.split("/");
  return part === undefined ? has(list, resource) : any(has(list, resource), list.includes(`*/${part}`));
}
