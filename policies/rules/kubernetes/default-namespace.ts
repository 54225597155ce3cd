import { any } from "../../model/truth.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { kindOf, onlyOnKubernetes } from "../../reading/pods.ts";

/** Cluster-scoped kinds that programs commonly create. */
const CLUSTER_KINDS = new Set([
  "Namespace",
  "ClusterRole",
  "ClusterRoleBinding",
  "CustomResourceDefinition",
  "PersistentVolume",
  "StorageClass",
  "PriorityClass",
  "GatewayClass",
  "IngressClass",
  "MutatingWebhookConfiguration",
  "ValidatingWebhookConfiguration",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "RuntimeClass",
  "Node",
  "APIService",
  "CSIDriver",
  "Provider",
]);

/** Objects are in a namespace of the stack. */
export const defaultNamespace: ResourceRule = {
  name: "kubernetes-default-namespace",
  title: "Objects are in a namespace of the stack, not in default",
  level: "advisory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Network policies, quotas and Pod Security are set per namespace; objects in `default` have none of them.",
  references: [{ standard: "CIS Kubernetes 1.11", item: "5.7.4" }],
  notApplicable: onlyOnKubernetes,
  concerns: (resource) => {
    const kind = kindOf(resource);
    return (
      kind !== undefined &&
      resource.custom &&
      !CLUSTER_KINDS.has(kind) &&
      !resource.type.startsWith("kubernetes:yaml") &&
      !resource.type.startsWith("kubernetes:helm")
    );
  },
  *check(subject) {
    const place = subject.inputs.at("metadata", "namespace");
    const holds = any(place.test((value) => typeof value === "string" && value !== "default"));
    yield judge(subject, place, holds, `it is in namespace ${place.shown}`, "set metadata.namespace");
  },
};
