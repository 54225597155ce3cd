import { judge, type ResourceRule } from "../../model/rule.ts";
import { any, not } from "../../model/truth.ts";
import { kindOf, onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";

// cspell:ignore coredns

/** The namespaces of the cluster itself. */
export const systemNamespaces: ResourceRule = {
  name: "kubernetes-system-namespaces",
  title: "No object is in a namespace of the cluster itself",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Objects in `kube-system`, `kube-public` and `kube-node-lease` configure the cluster: the ConfigMap `aws-auth` maps identities to `system:masters`, `coredns` answers names, a Secret or a Service takes the place of another one, and a Role there reaches the Secrets of controllers. Most exceptions of admission and of policies are for these namespaces, too.",
  references: [
    { standard: "NSA/CISA Kubernetes Hardening", item: "Namespaces" },
    { standard: "Kubescape", item: "C-0061" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: (resource) => kindOf(resource) !== undefined && resource.custom,
  *check(subject) {
    const namespace = subject.inputs.at("metadata", "namespace");
    yield judge(
      subject,
      namespace,
      any(namespace.isAbsent, not(namespace.is("kube-system", "kube-public", "kube-node-lease"))),
      `it is in ${namespace.shown}, which belongs to the cluster`,
      "set metadata.namespace to a namespace of the stack",
    );
  },
};
