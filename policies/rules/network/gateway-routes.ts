import { isObject } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";

/** Gateways accept routes of this stack only. */
export const gatewayRoutes: ResourceRule = {
  name: "network-gateway-routes",
  title: "Gateways accept routes only from their own or from selected namespaces",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "With `allowedRoutes.namespaces.from: All`, a user who can create an HTTPRoute in any namespace of the cluster can take over a path of the gateway's host name. `Same` is the default; `Selector` selects namespaces.",
  references: [{ standard: "Gateway API", item: "Security model: cross-namespace routing" }],
  notApplicable: onlyOnKubernetes,
  concerns: isObject("Gateway"),
  *check(subject) {
    for (const listener of subject.inputs.at("spec", "listeners").each()) {
      const from = listener.at("allowedRoutes", "namespaces", "from");
      yield judge(
        subject,
        from,
        from.isAbsentOr("Same", "Selector", "None"),
        `the listener accepts routes from ${from.shown}`,
        "set allowedRoutes.namespaces.from to Same",
      );
    }
  },
};
