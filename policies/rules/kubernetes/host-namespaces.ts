import { podRule, podSecurity } from "../../reading/pod-rule.ts";

/** Pods stay out of the node's namespaces. */
export const kubernetesHostNamespaces = podRule(
  {
    name: "kubernetes-host-namespaces",
    title: "Pods do not share the node's network, process or IPC namespace",
    level: "mandatory",
    documentation:
      "With `hostNetwork` a pod passes every NetworkPolicy and reaches the node's own listeners; with `hostPID` and `hostIPC` it sees the node's processes and memory.",
    references: podSecurity("Host Namespaces", "5.2.3", "5.2.4", "5.2.5"),
  },
  function* (pod) {
    for (const key of ["hostNetwork", "hostPID", "hostIPC"]) {
      const place = pod.spec.at(key);
      yield { at: place, holds: place.isAbsentOr(false), message: `${key} is ${place.shown}`, fix: `remove ${key}` };
    }
  },
);
