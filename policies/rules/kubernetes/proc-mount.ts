import { containerRule, podSecurity } from "../../reading/pod-rule.ts";

/** The masks over /proc stay. */
export const procMount = containerRule(
  {
    name: "kubernetes-proc-mount",
    title: "Containers keep the masked /proc",
    level: "mandatory",
    documentation:
      "`procMount: Unmasked` shows files of /proc that tell of, and change, the node. The restricted profile refuses it in a user namespace too.",
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
