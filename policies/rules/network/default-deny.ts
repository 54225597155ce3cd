import { objectsOf } from "../../reading/kubernetes-objects.ts";
import { bearsPods, onlyOnKubernetes } from "../../reading/pods.ts";
import { judgeAt, placeOf, subjectOf, type StackRule, type Subject } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** Traffic is denied by default. */
export const defaultDeny: StackRule = {
  name: "network-default-deny",
  title: "Every namespace with pods denies all traffic that no policy allows",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "The namespace has a NetworkPolicy with an empty `podSelector`, both `policyTypes` and no rules. Without it, a pod that no policy selects can exchange traffic with any peer.",
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.3.2" },
    { standard: "Kubescape", item: "C-0260" },
  ],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    const denials = objectsOf(context, "NetworkPolicy").map((policy) => ({
      namespace: policy.inputs.at("metadata", "namespace"),
      denies: deniesAll(policy),
    }));
    const seen = new Map<string, Subject>();
    for (const resource of context.graph.resources) {
      if (!bearsPods(resource)) continue;
      const subject = subjectOf(resource);
      const namespace = subject.inputs.at("metadata", "namespace");
      const key = namespace.text ?? namespace.state;
      if (!seen.has(key)) seen.set(key, subject);
    }
    for (const [key, subject] of seen) {
      const own = denials.filter(({ namespace }) => (namespace.text ?? namespace.state) === key);
      yield judgeAt(
        placeOf(subject, "metadata.namespace"),
        any(...own.map(({ denies }) => denies)),
        `namespace ${subject.inputs.at("metadata", "namespace").shown} has no policy that denies all traffic`,
        'add a NetworkPolicy with podSelector: {} and policyTypes: ["Ingress", "Egress"]',
      );
    }
  },
};

function deniesAll(policy: Subject): Truth {
  const spec = policy.inputs.at("spec");
  const selector = spec.at("podSelector");
  return all(
    selector.test((value) => typeof value === "object" && value !== null && Object.keys(value).length === 0),
    spec.at("policyTypes").includes("Ingress"),
    spec.at("policyTypes").includes("Egress"),
    isEmpty("ingress"),
    isEmpty("egress"),
  );

  function isEmpty(key: string): Truth {
    const list = spec.at(key);
    return any(
      list.isAbsent,
      list.test((value) => Array.isArray(value) && value.length === 0),
    );
  }
}
