import { all, any } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/pod-rule.ts";

const PROFILES = ["RuntimeDefault", "Localhost"];
const FIX = "set securityContext.seccompProfile.type: RuntimeDefault";

/** System calls are filtered. */
export const seccomp = podRule(
  {
    name: "kubernetes-seccomp",
    title: "Every container has a seccomp profile",
    level: "mandatory",
    documentation:
      "`RuntimeDefault` or `Localhost`, on the container or on its pod; where neither says anything, Kubernetes filters nothing. A pod-level profile outside of the two is refused even if each container has its own. Windows pods have no seccomp.",
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
        message: `${container.label} has no seccomp profile that filters (it is ${type.shown})`,
        fix: FIX,
      };
    }
  },
);
