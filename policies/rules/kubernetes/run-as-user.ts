import { any } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const FIELD = ["securityContext", "runAsUser"] as const;

/** No pod or container sets UID 0. */
export const runAsUser = podRule(
  {
    name: "kubernetes-run-as-user",
    title: "No pod or container sets the root user",
    level: "mandatory",
    documentation:
      "`securityContext.runAsUser: 0` is root; `runAsNonRoot` would reject it only when the container starts. " +
      "A pod with a separate user namespace (`hostUsers: false`) passes, as in Pod Security since 1.35.",
    references: podSecurity("Running as Non-root user", "5.2.7"),
  },
  function* (pod) {
    const places = [["the pod", pod.spec] as const, ...pod.containers.map((c) => [c.label, c.reader] as const)];
    for (const [label, reader] of places) {
      const place = reader.at(...FIELD);
      const sound = any(place.isAbsent, place.within(1, Infinity));
      yield {
        at: place,
        holds: any(sound, pod.userNamespace),
        message: `${label} sets user ${place.shown}`,
        fix: "set runAsUser to a UID other than 0",
      };
    }
  },
);
