import { any } from "../../model/truth.ts";
import { containerRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

/** No process gains more privileges than its parent. */
export const allowPrivilegeEscalation = containerRule(
  {
    name: "kubernetes-privilege-escalation",
    title: "Containers cannot gain privileges",
    level: "mandatory",
    documentation:
      "`allowPrivilegeEscalation: false` sets `no_new_privs`, so that a setuid program gains no privileges. It must be set, because the default is true. The field does not apply to Windows pods.",
    references: podSecurity("Privilege Escalation", "5.2.6"),
  },
  (container, pod) => {
    const place = container.reader.at("securityContext", "allowPrivilegeEscalation");
    return {
      at: place,
      holds: any(place.is(false), pod.windows),
      message: `${container.label} can gain privileges (allowPrivilegeEscalation is ${place.shown})`,
      fix: "set securityContext.allowPrivilegeEscalation: false",
    };
  },
);
