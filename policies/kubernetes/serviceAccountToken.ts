import { judgeAt, placeOf, subjectOf, type Scene, type StackRule } from "../model/rule.ts";
import { all, any, not, type Truth } from "../model/truth.ts";
import type { Reader } from "../model/reader.ts";
import { objectsOf } from "./objects.ts";
import { bearsPods, noPods, podsOf } from "./pods.ts";

/** No credential of the cluster's API in a pod that does not use it. */
export const serviceAccountToken: StackRule = {
  name: "kubernetes-service-account-token",
  title: "Pods mount no service-account token unless their account was given a right",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "`automountServiceAccountToken: false` must be said on the pod. A pod that says `true` needs an account of its own to which a binding of the stack gives a role: then it speaks with the API, and the role names what it may. Tokens by projected volumes live at most an hour.",
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.1.5, 5.1.6" },
    { standard: "Checkov", item: "CKV_K8S_38" },
  ],
  idle: noPods,
  *check(scene) {
    for (const resource of scene.graph.resources) {
      if (!bearsPods(resource)) continue;
      const subject = subjectOf(resource);
      for (const pod of podsOf(subject)) {
        const place = pod.spec.at("automountServiceAccountToken");
        const asked = all(place.is(true), isBound(scene, pod.spec.at("serviceAccountName")));
        yield judgeAt(
          placeOf(subject, place.path),
          any(place.is(false), asked),
          "the pod mounts a service-account token that it was given no right for",
          "set automountServiceAccountToken: false",
        );
        for (const volume of pod.spec.at("volumes").each())
          for (const source of volume.at("projected", "sources").each()) {
            const token = source.at("serviceAccountToken");
            if (token.isAbsent === true) continue;
            const seconds = token.at("expirationSeconds");
            yield judgeAt(
              placeOf(subject, seconds.path),
              any(not(token.isPresent), seconds.isAbsent, seconds.within(600, 3600)),
              `the projected token lives ${seconds.shown} seconds`,
              "set expirationSeconds to at most 3600",
            );
          }
      }
    }
  },
};

function isBound(scene: Scene, account: Reader): Truth {
  const subjects = objectsOf(scene, "RoleBinding", "ClusterRoleBinding").flatMap((binding) =>
    binding.inputs.at("subjects").each(),
  );
  const named = account.test((value) => typeof value === "string" && value !== "" && value !== "default");
  return all(
    named,
    any(...subjects.map((bound) => all(bound.at("kind").is("ServiceAccount"), same(bound.at("name"), account)))),
  );
}

function same(a: Reader, b: Reader): Truth {
  return b.text === undefined ? b.isAbsent : a.is(b.text);
}
