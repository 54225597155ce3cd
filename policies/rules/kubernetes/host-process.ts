import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

/** No Windows HostProcess pods. */
export const hostProcess = podRule(
  {
    name: "kubernetes-host-process",
    title: "No pod or container is a Windows HostProcess",
    level: "mandatory",
    documentation: "A HostProcess container runs directly on the Windows node, with the node's privileges.",
    references: podSecurity("HostProcess", "5.2.11"),
  },
  function* (pod) {
    for (const [label, reader] of [
      ["the pod", pod.spec] as const,
      ...pod.containers.map((c) => [c.label, c.reader] as const),
    ]) {
      const place = reader.at("securityContext", "windowsOptions", "hostProcess");
      yield {
        at: place,
        holds: place.isAbsentOr(false),
        message: `${label} is a HostProcess`,
        fix: "remove windowsOptions.hostProcess",
      };
    }
  },
);
