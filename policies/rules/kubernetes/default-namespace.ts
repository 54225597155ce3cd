import { judge, type ResourceRule } from "../../model/rule.ts";
import { isManifest } from "../../reading/kubernetes/manifests.ts";
import { kindOf, onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { isNamespaced } from "../../reading/understood-kinds.ts";

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
  concerns: (resource) => kindOf(resource) !== undefined && resource.custom && !isManifest(resource),
  *check(subject) {
    const place = subject.inputs.at("metadata", "namespace");
    // Whether an object without a namespace belongs to the cluster is known of the kinds that rules understand.
    const inNone = place.isAbsent === true && !isNamespaced(subject.resource);
    const holds = inNone || place.test((value) => typeof value === "string" && value !== "" && value !== "default");
    yield judge(subject, place, holds, `it is in namespace ${place.shown}`, "set metadata.namespace");
  },
};
