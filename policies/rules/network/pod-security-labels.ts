import { isObject } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { any } from "../../model/truth.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";

/** The API server enforces Pod Security. */
export const podSecurityLabels: ResourceRule = {
  name: "namespace-pod-security",
  title: "Namespaces enforce the Pod Security profile restricted",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "The label `pod-security.kubernetes.io/enforce: restricted` makes the API server reject pods that violate the profile, including pods that other programs create. `enforce-version` is absent, `latest`, or at least v1.25: profiles of older versions lack checks.",
  references: [
    { standard: "Pod Security Standards, restricted (1.37)", item: "namespace labels" },
    { standard: "CIS Kubernetes 1.11", item: "5.2.1" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: isObject("Namespace"),
  *check(subject) {
    const label = subject.inputs.at("metadata", "labels", "pod-security.kubernetes.io/enforce");
    yield judge(
      subject,
      label,
      label.is("restricted"),
      `the namespace enforces ${label.shown}`,
      "set the label pod-security.kubernetes.io/enforce: restricted",
    );
    const version = subject.inputs.at("metadata", "labels", "pod-security.kubernetes.io/enforce-version");
    yield judge(
      subject,
      version,
      any(version.isAbsentOr("latest"), version.matches(/^v1\.(2[5-9]|[3-9]\d|\d{3})$/)),
      `the namespace enforces the profile of ${version.shown}, which lacks later checks`,
      "set the label pod-security.kubernetes.io/enforce-version: latest",
    );
  },
};
