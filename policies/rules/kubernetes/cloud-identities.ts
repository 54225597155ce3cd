import { judge, type ResourceRule } from "../../model/rule.ts";
import { any, not } from "../../model/truth.ts";
import { isCloudAudience, isCloudIdentity } from "../../reading/kubernetes/annotations.ts";
import { kindOf, onlyOnKubernetes, podsOf } from "../../reading/kubernetes/pods.ts";

/** Pods have only credentials that the stack declares. */
export const cloudIdentities: ResourceRule = {
  name: "kubernetes-cloud-identities",
  title: "No pod or service account gets an identity of a cloud",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "An identity of AWS, Google Cloud, Azure or Alibaba Cloud gives the programs of a pod credentials of the cloud account: what they may do there is not in the stack, and no rule judges it. A service account or a pod gets one by an annotation or a label, or by a projected token whose audience a cloud accepts. Where an identity is meant, a waiver says which rights it has.",
  references: [
    { standard: "NSA/CISA Kubernetes Hardening", item: "Pod service account token protection" },
    { standard: "Requirement", item: "everything that acts with other rights is followed" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: (resource) => kindOf(resource) !== undefined && resource.custom,
  *check(subject) {
    const pods = podsOf(subject);
    yield judge(subject, "", true, "", "");
    for (const metadata of [subject.inputs.at("metadata"), ...pods.map((pod) => pod.metadata)])
      for (const map of ["annotations", "labels"])
        for (const [key, value] of metadata.at(map).entries())
          yield judge(
            subject,
            value,
            key === "*"
              ? value.isAbsent
              : !isCloudIdentity(key, value.text) || any(value.is("false", ""), not(value.isPresent)),
            `${map.slice(0, -1)} ${key} gives the pod an identity of a cloud, whose rights no rule judges`,
            `remove the ${map.slice(0, -1)}, or waive it with the rights of the identity as the reason`,
          );
    for (const pod of pods)
      for (const volume of pod.spec.at("volumes").each())
        for (const source of volume.at("projected", "sources").each()) {
          const audience = source.at("serviceAccountToken", "audience");
          yield judge(
            subject,
            audience,
            audience.text === undefined ? any(audience.isAbsent, audience.isPresent) : !isCloudAudience(audience.text),
            `a cloud takes tokens for ${audience.shown} for an identity, whose rights no rule judges`,
            "remove the token, or waive it with the rights of the identity as the reason",
          );
        }
  },
};
