import type { Answer } from "../../model/answer.ts";
import { containerRule, podSecurity } from "../../reading/pod-rule.ts";

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"];
const HOOKS = ["postStart", "preStop"];

/** Probes and hooks ask the pod itself. */
export const hostProbes = containerRule(
  {
    name: "kubernetes-probe-hosts",
    title: "Probes and lifecycle hooks name no host",
    level: "mandatory",
    documentation:
      "The kubelet sends them from the node's network: with `host` they reach what the pod itself may not (the node's own services, a cloud's metadata). Part of Pod Security since 1.34.",
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
          message: `${container.label}: the kubelet would ask host ${place.shown}`,
          fix: "remove host: the pod itself is asked then",
        };
      }
  },
);
