import { any } from "../../model/truth.ts";
import { containerRule, podSecurity } from "../../reading/pod-rule.ts";

/** No process gains rights that its parent has not. */
export const allowPrivilegeEscalation = containerRule(
  {
    name: "kubernetes-privilege-escalation",
    title: "Containers cannot gain privileges",
    level: "mandatory",
    documentation:
      "`allowPrivilegeEscalation: false` sets `no_new_privs`, so a setuid program gives nothing. It must be said: the default is true. Windows pods have no such field.",
    references: podSecurity("Privilege Escalation", "5.2.6"),
  },
  (container, pod) => {
    const place = container.reader.at("securityContext", "allowPrivilegeEscalation");
    return {
      at: place,
      holds: any(place.is(false), pod.windows),
      message: `${container.label} may gain privileges (allowPrivilegeEscalation is ${place.shown})`,
      fix: "set securityContext.allowPrivilegeEscalation: false",
    };
  },
);
