import { containerRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

/** /proc stays masked. */
export const procMount = containerRule(
  {
    name: "kubernetes-proc-mount",
    title: "Containers keep the masked /proc",
    level: "mandatory",
    documentation:
      "`procMount: Unmasked` exposes files in /proc that reveal or change the state of the node. The restricted profile forbids it in a user namespace too.",
    references: podSecurity("/proc Mount Type"),
  },
  (container) => {
    const place = container.reader.at("securityContext", "procMount");
    return {
      at: place,
      holds: place.isAbsentOr("Default"),
      message: `${container.label} has procMount ${place.shown}`,
      fix: "remove securityContext.procMount",
    };
  },
);
