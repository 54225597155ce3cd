import { containerRule, podSecurity } from "../../reading/pod-rule.ts";

/** No privileged containers. */
export const kubernetesPrivileged = containerRule(
  {
    name: "kubernetes-privileged",
    title: "No container is privileged",
    level: "mandatory",
    documentation: "A privileged container has every capability and every device of its node: it is root there.",
    references: podSecurity("Privileged Containers", "5.2.2"),
  },
  (container) => {
    const place = container.reader.at("securityContext", "privileged");
    // A malformed container answers false to every question, so "absent or false" fails it.
    return {
      at: place,
      holds: place.isAbsentOr(false),
      message: `${container.label} is privileged`,
      fix: "remove securityContext.privileged",
    };
  },
);
