import { containerRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

/** No privileged containers. */
export const kubernetesPrivileged = containerRule(
  {
    name: "kubernetes-privileged",
    title: "No container is privileged",
    level: "mandatory",
    documentation: "A privileged container has all capabilities and all devices of its node: it is root on the node.",
    references: podSecurity("Privileged Containers", "5.2.2"),
  },
  (container) => {
    const place = container.reader.at("securityContext", "privileged");
    // For a malformed container, every question is answered false, so this check fails.
    return {
      at: place,
      holds: place.isAbsentOr(false),
      message: `${container.label} is privileged`,
      fix: "remove securityContext.privileged",
    };
  },
);
