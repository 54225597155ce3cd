import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const SAFE = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_notsent_lowat",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_slow_start_after_idle",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
];

/** Pods set only kernel parameters that do not affect other pods. */
export const sysctls = podRule(
  {
    name: "kubernetes-sysctls",
    title: "Pods set safe kernel parameters only",
    level: "mandatory",
    documentation: `Safe parameters affect only the namespaces of the pod: ${SAFE.map((name) => `\`${name}\``).join(", ")}.`,
    references: podSecurity("Sysctls"),
  },
  function* (pod) {
    const list = pod.spec.at("securityContext", "sysctls");
    if (list.isAbsent === true) yield { at: list, holds: true, message: "", fix: "" };
    for (const sysctl of list.each()) {
      const place = sysctl.at("name");
      yield {
        at: place,
        holds: place.is(...SAFE),
        message: `the pod sets ${place.shown}, which is not a safe parameter`,
        fix: "remove it from securityContext.sysctls",
      };
    }
  },
);
