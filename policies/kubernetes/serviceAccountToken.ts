import { any, not } from "../model/truth.ts";
import { podRule } from "./podRule.ts";

/** No credential of the cluster's API in a pod that does not use it. */
export const serviceAccountToken = podRule(
  {
    name: "kubernetes-service-account-token",
    title: "Pods mount no service-account token unless they ask for one by a projected volume",
    level: "mandatory",
    documentation:
      "`automountServiceAccountToken: false` must be said on the pod. A pod that talks to the cluster's API asks for its token by a projected volume with a `serviceAccountToken` that expires within an hour, and mounts it where it is needed.",
    references: [
      { standard: "CIS Kubernetes 1.11", item: "5.1.6" },
      { standard: "Checkov", item: "CKV_K8S_38" },
    ],
  },
  function* (pod) {
    const place = pod.spec.at("automountServiceAccountToken");
    yield {
      at: place,
      holds: place.is(false),
      message: "the pod mounts a service-account token",
      mend: "set automountServiceAccountToken: false",
    };
    for (const volume of pod.spec.at("volumes").each())
      for (const source of volume.at("projected", "sources").each()) {
        const token = source.at("serviceAccountToken");
        if (token.isAbsent === true) continue;
        const seconds = token.at("expirationSeconds");
        yield {
          at: seconds,
          holds: any(not(token.isPresent), seconds.isAbsent, seconds.within(600, 3600)),
          message: `the projected token lives ${seconds.shown} seconds`,
          mend: "set expirationSeconds to at most 3600",
        };
      }
  },
);
