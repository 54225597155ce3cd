import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

/** Pods are isolated from the node. */
export const kubernetesHostNamespaces = podRule(
  {
    name: "kubernetes-host-namespaces",
    title: "Pods do not share the node's network, process or IPC namespace",
    level: "mandatory",
    documentation:
      "With `hostNetwork`, a pod bypasses all NetworkPolicies and can reach services of the node; with `hostPID` and `hostIPC`, it can access the node's processes and shared memory.",
    references: podSecurity("Host Namespaces", "5.2.3", "5.2.4", "5.2.5"),
  },
  function* (pod) {
    for (const key of ["hostNetwork", "hostPID", "hostIPC"]) {
      const place = pod.spec.at(key);
      yield { at: place, holds: place.isAbsentOr(false), message: `${key} is ${place.shown}`, fix: `remove ${key}` };
    }
  },
);
