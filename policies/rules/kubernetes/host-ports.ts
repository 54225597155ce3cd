import { containerRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

/** Containers do not use ports of the node. */
export const hostPorts = containerRule(
  {
    name: "kubernetes-host-ports",
    title: "No container uses a port of its node",
    level: "mandatory",
    documentation:
      "A `hostPort` bypasses Services, the gateway and often NetworkPolicies, and two such pods cannot run on the same node.",
    references: podSecurity("Host Ports", "5.2.13"),
  },
  function* (container) {
    const ports = container.reader.at("ports");
    if (ports.isAbsent === true) yield { at: ports, holds: true, message: "", fix: "" };
    for (const port of ports.each()) {
      const place = port.at("hostPort");
      yield {
        at: place,
        holds: place.isAbsentOr(0),
        message: `${container.label} uses port ${place.shown} of its node`,
        fix: "remove hostPort and use a Service",
      };
    }
  },
);
