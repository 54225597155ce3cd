import { all, any } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const FIELD = ["securityContext", "runAsNonRoot"] as const;
const FIX = "set securityContext.runAsNonRoot: true";

/** Containers run as non-root. */
export const runAsNonRoot = podRule(
  {
    name: "kubernetes-run-as-non-root",
    title: "Every container is required to run as a non-root user",
    level: "mandatory",
    documentation:
      "If `securityContext.runAsNonRoot` is true, the kubelet does not start a container as root, even if the image sets root as its user. " +
      "The container's value overrides the pod's; a pod with `false` fails even if its containers have `true`. " +
      "A pod with a separate user namespace (`hostUsers: false`) passes, as in Pod Security since 1.35.",
    references: podSecurity("Running as Non-root", "5.2.7"),
  },
  function* (pod) {
    const own = pod.spec.at(...FIELD);
    yield {
      at: own,
      holds: any(pod.userNamespace, own.isAbsentOr(true)),
      message: "the pod allows root (runAsNonRoot is not true)",
      fix: FIX,
    };
    for (const container of pod.containers) {
      const place = container.reader.at(...FIELD);
      const holds = any(place.is(true), all(place.isAbsent, own.is(true)), pod.userNamespace);
      yield { at: place, holds, message: `${container.label} can run as root`, fix: FIX };
    }
  },
);
