import { objectsOf } from "../../reading/kubernetes/objects.ts";
import { bearsPods, onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { isEmptySelector } from "../../reading/kubernetes/selectors.ts";
import { judgeAt, placeOf, subjectOf, type StackRule, type Subject } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** The lists of rules, by the direction that they open. */
const RULES = { Ingress: "ingress", Egress: "egress" } as const;

/** Traffic is denied by default. */
export const defaultDeny: StackRule = {
  name: "network-default-deny",
  title: "Every namespace with pods denies all traffic that no policy allows",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "For each direction, the namespace has a NetworkPolicy that selects all pods and has no rules: one policy for both, or one for each. Without it, a pod that no policy selects can exchange traffic with any peer. A policy without `policyTypes` is for ingress.",
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.3.2" },
    { standard: "Kubescape", item: "C-0260" },
  ],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    const policies = objectsOf(context, "NetworkPolicy");
    const seen = new Map<string, Subject>();
    for (const resource of context.graph.resources) {
      if (!bearsPods(resource)) continue;
      const subject = subjectOf(resource);
      const key = namespaceOf(subject);
      if (!seen.has(key)) seen.set(key, subject);
    }
    for (const [key, subject] of seen) {
      const own = policies.filter((policy) => namespaceOf(policy) === key);
      yield judgeAt(
        placeOf(subject, "metadata.namespace"),
        all(
          any(...own.map((policy) => denies(policy, "Ingress"))),
          any(...own.map((policy) => denies(policy, "Egress"))),
        ),
        `namespace ${subject.inputs.at("metadata", "namespace").shown} has no policy that denies all traffic`,
        'add a NetworkPolicy with podSelector: {} and policyTypes: ["Ingress", "Egress"]',
      );
    }
  },
};

function namespaceOf({ inputs }: Subject): string {
  const namespace = inputs.at("metadata", "namespace");
  return namespace.text ?? namespace.state;
}

function denies(policy: Subject, direction: keyof typeof RULES): Truth {
  const spec = policy.inputs.at("spec");
  const types = spec.at("policyTypes");
  const rules = spec.at(RULES[direction]);
  return all(
    isEmptySelector(spec.at("podSelector")),
    any(types.includes(direction), direction === "Ingress" ? types.isAbsent : false),
    any(
      rules.isAbsent,
      rules.test((value) => Array.isArray(value) && value.length === 0),
    ),
  );
}
