import { all, any } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const PROFILES = ["RuntimeDefault", "Localhost"];
const FIX = "set securityContext.seccompProfile.type: RuntimeDefault";

/** Seccomp filters system calls. */
export const seccomp = podRule(
  {
    name: "kubernetes-seccomp",
    title: "Every container has a seccomp profile",
    level: "mandatory",
    documentation:
      "The profile is `RuntimeDefault` or `Localhost`, set on the container or on its pod; without one, Kubernetes does not filter system calls. Any other profile of the pod fails, even if each container sets a valid one. Seccomp does not apply to Windows pods.",
    references: podSecurity("Seccomp", "5.7.2"),
  },
  function* (pod) {
    const own = pod.spec.at("securityContext", "seccompProfile");
    yield {
      at: own.at("type"),
      holds: any(own.isAbsent, own.at("type").is(...PROFILES), pod.windows),
      message: `the pod's seccomp profile is ${own.at("type").shown}`,
      fix: FIX,
    };
    for (const container of pod.containers) {
      const place = container.reader.at("securityContext", "seccompProfile");
      const type = place.at("type");
      const holds = any(type.is(...PROFILES), all(place.isAbsent, own.at("type").is(...PROFILES)), pod.windows);
      yield {
        at: type,
        holds,
        message: `${container.label} has no filtering seccomp profile (it is ${type.shown})`,
        fix: FIX,
      };
    }
  },
);
