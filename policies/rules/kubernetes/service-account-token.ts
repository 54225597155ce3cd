import type { Resource } from "../../../contract/graph.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { any, not } from "../../model/truth.ts";
import { isObject } from "../../reading/kubernetes/objects.ts";
import { bearsPods, kindOf, noPods, podsOf } from "../../reading/kubernetes/pods.ts";

/** Only pods that need it have a token of the cluster's API. */
export const serviceAccountToken: ResourceRule = {
  name: "kubernetes-service-account-token",
  title: "Pods and service accounts mount no token automatically; a pod that needs one uses a projected volume",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "`automountServiceAccountToken: false` must be set on every pod and on every ServiceAccount. A pod that uses the cluster's API gets its token from a projected volume, mounts it only in the container that needs it, and the token is valid for at most one hour. A Secret of type `kubernetes.io/service-account-token` holds one that does not expire, and one of type `bootstrap.kubernetes.io/token` opens the cluster for new nodes.",
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.1.5, 5.1.6" },
    { standard: "Checkov", item: "CKV_K8S_38" },
  ],
  notApplicable: noPods,
  concerns: (resource) => isAccount(resource) || isObject("Secret")(resource) || bearsPods(resource),
  *check(subject) {
    if (isObject("Secret")(subject.resource)) {
      const type = subject.inputs.at("type");
      yield judge(
        subject,
        type,
        not(type.is("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")),
        type.is("bootstrap.kubernetes.io/token") === true
          ? "a program with the Secret can join the cluster as a node"
          : "the Secret gets a token of a service account that does not expire",
        "remove the Secret, and mount a projected token",
      );
      return;
    }
    const fix = "set automountServiceAccountToken: false";
    if (isAccount(subject.resource)) {
      const place = subject.inputs.at("automountServiceAccountToken");
      yield judge(subject, place, place.is(false), "pods of the service account mount its token", fix);
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
            `the projected token is valid for ${seconds.shown} seconds`,
            "set expirationSeconds to at most 3600",
          );
        }
    }
  },
};

function isAccount(resource: Resource): boolean {
  return kindOf(resource) === "ServiceAccount";
}
