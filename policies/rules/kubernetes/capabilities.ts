import { every } from "../../model/reader.ts";
import { all, any } from "../../model/truth.ts";
import { containerRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

/** All capabilities are dropped; at most NET_BIND_SERVICE is added back. */
export const kubernetesCapabilities = containerRule(
  {
    name: "kubernetes-capabilities",
    title: "Containers drop all capabilities and add at most NET_BIND_SERVICE",
    level: "mandatory",
    documentation:
      'A container starts with about fourteen capabilities unless it drops them. `drop` must contain the literal `"ALL"`; `add` may contain `NET_BIND_SERVICE` only. Windows pods have no capabilities.',
    references: podSecurity("Capabilities", "5.2.8", "5.2.9", "5.2.10"),
  },
  function* (container, pod) {
    const place = container.reader.at("securityContext", "capabilities");
    const drop = place.at("drop");
    yield {
      at: drop,
      holds: any(drop.includes("ALL"), pod.windows),
      message: `${container.label} keeps capabilities (drop does not contain "ALL")`,
      fix: 'set securityContext.capabilities.drop: ["ALL"]',
    };
    const add = place.at("add");
    const sound = all(
      any(add.isAbsent, add.isPresent),
      every(add.each(), (capability) => capability.is("NET_BIND_SERVICE")),
    );
    const added = add
      .each()
      .map((capability) => capability.shown)
      .join(", ");
    yield {
      at: add,
      holds: any(sound, pod.windows),
      message: `${container.label} adds capabilities: ${added}`,
      fix: "remove all but NET_BIND_SERVICE from securityContext.capabilities.add",
    };
  },
);
