import type { Answer } from "../../model/answer.ts";
import { containerRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"];
const HOOKS = ["postStart", "preStop"];

/** Probes and hooks connect to their own pod. */
export const hostProbes = containerRule(
  {
    name: "kubernetes-probe-hosts",
    title: "Probes and lifecycle hooks do not set a host",
    level: "mandatory",
    documentation:
      "The kubelet sends them from the node's network. With `host`, they can reach services that the pod cannot, such as services of the node and the cloud's metadata service. Part of Pod Security since 1.34.",
    references: podSecurity("Host Probes / Lifecycle Hooks"),
  },
  function* (container): Generator<Answer> {
    const handlers = [
      ...PROBES.map((key) => container.reader.at(key)),
      ...HOOKS.map((key) => container.reader.at("lifecycle", key)),
    ];
    for (const handler of handlers)
      for (const way of ["httpGet", "tcpSocket"]) {
        const place = handler.at(way, "host");
        yield {
          at: place,
          holds: place.isAbsentOr(""),
          message: `${container.label}: the kubelet would connect to host ${place.shown}`,
          fix: "remove host, so that the kubelet connects to the pod",
        };
      }
  },
);
