import type { Resource } from "../../../contract/graph.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { any, not } from "../../model/truth.ts";
import { bearsPods, kindOf, noPods, podsOf } from "../../reading/pods.ts";

/** No credential of the cluster's API in a pod that does not ask for it. */
export const serviceAccountToken: ResourceRule = {
  name: "kubernetes-service-account-token",
  title: "Pods and accounts mount no token by default; who needs one asks by a projected volume",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "`automountServiceAccountToken: false` must be said on every pod and on every ServiceAccount. A pod that speaks with the cluster's API asks for its token by a projected volume, mounts it in the container that needs it alone, and gets one that lives at most an hour.",
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.1.5, 5.1.6" },
    { standard: "Checkov", item: "CKV_K8S_38" },
  ],
  notApplicable: noPods,
  concerns: (resource) => isAccount(resource) || bearsPods(resource),
  *check(subject) {
    const fix = "set automountServiceAccountToken: false";
    if (isAccount(subject.resource)) {
      const place = subject.inputs.at("automountServiceAccountToken");
      yield judge(subject, place, place.is(false), "pods of the account mount its token", fix);
      return;
    }
    for (const pod of podsOf(subject)) {
      const place = pod.spec.at("automountServiceAccountToken");
      yield judge(subject, place, place.is(false), "the pod mounts a service-account token", fix);
      for (const volume of pod.spec.at("volumes").each())
        for (const source of volume.at("projected", "sources").each()) {
          const token = source.at("serviceAccountToken");
          if (token.isAbsent === true) continue;
          const seconds = token.at("expirationSeconds");
          yield judge(
            subject,
            seconds,
            any(not(token.isPresent), seconds.isAbsent, seconds.within(600, 3600)),
            `the projected token lives ${seconds.shown} seconds`,
            "set expirationSeconds to at most 3600",
          );
        }
    }
  },
};

function isAccount(resource: Resource): boolean {
  return kindOf(resource) === "ServiceAccount";
}
