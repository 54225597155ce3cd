import type { Answer } from "../../model/answer.ts";
import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const TYPES = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/** SELinux confinement stays enabled. */
export const seLinux = podRule(
  {
    name: "kubernetes-selinux",
    title: "SELinux options use the container types, and set no user or role",
    level: "mandatory",
    documentation: "On a node with SELinux, another type, user or role can remove the confinement of a container.",
    references: podSecurity("SELinux"),
  },
  function* (pod): Generator<Answer> {
    for (const [label, reader] of [
      ["the pod", pod.spec] as const,
      ...pod.containers.map((c) => [c.label, c.reader] as const),
    ]) {
      const options = reader.at("securityContext", "seLinuxOptions");
      const fix = "remove it from securityContext.seLinuxOptions";
      const type = options.at("type");
      yield { at: type, holds: type.isAbsentOr(...TYPES), message: `${label} has SELinux type ${type.shown}`, fix };
      for (const key of ["user", "role"]) {
        const place = options.at(key);
        yield { at: place, holds: place.isAbsentOr(""), message: `${label} sets SELinux ${key} ${place.shown}`, fix };
      }
    }
  },
);
