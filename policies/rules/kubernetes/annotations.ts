import { judge, type ResourceRule } from "../../model/rule.ts";
import { any, not } from "../../model/truth.ts";
import { actionOf } from "../../reading/kubernetes/annotations.ts";
import { kindOf, onlyOnKubernetes, podsOf } from "../../reading/kubernetes/pods.ts";

// cspell:ignore crun dapr

/** Annotations configure programs of the cluster. */
export const annotations: ResourceRule = {
  name: "kubernetes-annotations",
  title: "Annotations do not let programs of the cluster change pods, copy Secrets or open Services",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Runtimes, network plugins and injectors of sidecars act on annotations, after the rules have judged the object. Not allowed are those of Multus, Calico, OVN, CRI-O, containerd, NRI, CDI, Kata Containers and crun, which reach the node; those of Istio, Linkerd, Dapr and the agent of Vault that change images, volumes, variables or the server of what is added; those that copy a Secret or a ConfigMap into other namespaces; and those that open a Service to another network. Annotations with the same domain that only switch a sidecar on or limit it are allowed, and so are all others. A value `false` is not set.",
  references: [
    { standard: "NSA/CISA Kubernetes Hardening", item: "Pod security; Network separation" },
    { standard: "Requirement", item: "a closed world of resources" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: (resource) => kindOf(resource) !== undefined && resource.custom,
  *check(subject) {
    for (const metadata of [subject.inputs.at("metadata"), ...podsOf(subject).map((pod) => pod.metadata)]) {
      const place = metadata.at("annotations");
      yield judge(subject, place, any(place.isAbsent, place.isPresent), "they are malformed", "set a map");
      for (const [key, value] of place.entries()) {
        const does = key === "*" ? undefined : actionOf(key);
        yield judge(
          subject,
          value,
          key === "*" ? value.isAbsent : does === undefined || any(value.is("false", ""), not(value.isPresent)),
          `annotation ${key} ${does ?? "is not known"}`,
          "remove the annotation",
        );
      }
    }
  },
};
