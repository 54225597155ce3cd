import type { Resource } from "../../contract/graph.ts";
import { Reader } from "../model/reader.ts";

/** Kubernetes kinds that rules judge, or that only restrict what others may do, by API group. */
const KUBERNETES: Readonly<Record<string, readonly string[]>> = {
  core: [
    "ConfigMap",
    "LimitRange",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodTemplate",
    "ReplicationController",
    "ResourceQuota",
    "Secret",
    "Service",
    "ServiceAccount",
  ],
  apps: ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
  batch: ["CronJob", "Job"],
  autoscaling: ["HorizontalPodAutoscaler"],
  policy: ["PodDisruptionBudget"],
  "networking.k8s.io": ["Ingress", "NetworkPolicy"],
  "rbac.authorization.k8s.io": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
  "admissionregistration.k8s.io": ["ValidatingWebhookConfiguration"],
  "gateway.networking.k8s.io": ["Gateway", "GRPCRoute", "HTTPRoute", "TCPRoute"],
  "gateway.envoyproxy.io": [
    "BackendTrafficPolicy",
    "ClientTrafficPolicy",
    "EnvoyExtensionPolicy",
    "EnvoyProxy",
    "HTTPRouteFilter",
    "SecurityPolicy",
  ],
  "policy.sigstore.dev": ["ClusterImagePolicy"],
};

/** Of {@link KUBERNETES}, what has no namespace. */
const CLUSTER_WIDE = new Set([
  "ClusterImagePolicy",
  "ClusterRole",
  "ClusterRoleBinding",
  "Namespace",
  "PersistentVolume",
  "ValidatingWebhookConfiguration",
]);

/** Other resources that rules judge. */
const OTHERS = new Set([
  "docker:index/container:Container",
  "docker:index/network:Network",
  "docker:index/remoteImage:RemoteImage",
  "docker:index/volume:Volume",
  "kubernetes:yaml:ConfigFile", // The SDK registers each of its objects.
  "kubernetes:yaml:ConfigGroup",
  "pulumi:pulumi:Stack",
  "pulumi:providers:docker",
  "pulumi:providers:kubernetes",
  "pulumi:providers:pulumi", // The engine's own, which it registers for the SDKs of parameterized providers.
  "pulumi:providers:random",
  "pulumi:providers:supabase",
  "random:index/randomPassword:RandomPassword",
  "supabase:index/branch:Branch",
  "supabase:index/edgeFunction:EdgeFunction",
  "supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets",
  "supabase:index/project:Project",
  "supabase:index/settings:Settings",
]);

/** API group and kind of a Kubernetes resource, from its type: `kubernetes:<group>/<version>:<kind>`. */
export function groupKindOf(resource: Resource): { readonly group: string; readonly kind: string } | undefined {
  const [, version = "", kind = ""] = /^kubernetes:([^:]+):([^:]+)$/.exec(resource.type) ?? [];
  if (kind === "") return undefined;
  const [group, inGroup] = version.split("/");
  return { group: inGroup === undefined ? "core" : (group ?? ""), kind };
}

/** Whether rules understand the Kubernetes kind of a resource. A kind of the same name in another API group is not it. */
export function isUnderstoodObject(resource: Resource): boolean {
  const { group = "", kind = "" } = groupKindOf(resource) ?? {};
  const kinds = Object.hasOwn(KUBERNETES, group) ? KUBERNETES[group] : undefined;
  return kinds !== undefined && (kinds.includes(kind) || (kind.endsWith("List") && kinds.includes(kind.slice(0, -4))));
}

/** Whether an understood Kubernetes kind has a namespace. */
export function isNamespaced(resource: Resource): boolean {
  return isUnderstoodObject(resource) && !CLUSTER_WIDE.has((groupKindOf(resource)?.kind ?? "").replace(/List$/, ""));
}

/** Whether rules understand what a resource does. */
export function isUnderstood(resource: Resource): boolean {
  // A component of this program creates nothing but its children, which are resources of the graph.
  if (!resource.custom && /^exai:[a-z]+:[A-Za-z]+$/.test(resource.type)) return true;
  return OTHERS.has(resource.type) || (isUnderstoodObject(resource) && saysSo(resource));
}

/** Whether the object has the kind and the group of its type, if it names them: the API server goes by the object. */
function saysSo(resource: Resource): boolean {
  const inputs = Reader.of(resource.inputs);
  const { group = "", kind = "" } = groupKindOf(resource) ?? {};
  const version = inputs.at("apiVersion");
  const own = version.text?.includes("/") === true ? version.text.split("/")[0] : "core";
  return inputs.at("kind").isAbsentOr(kind) !== false && (version.text === undefined || own === group);
}
