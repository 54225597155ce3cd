import { isObject } from "../../reading/kubernetes-objects.ts";
import { onlyOnKubernetes } from "../../reading/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";

/** The edge carries this stack's routes. */
export const gatewayRoutes: ResourceRule = {
  name: "network-gateway-routes",
  title: "Gateways take routes from their own or from selected namespaces",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "With `allowedRoutes.namespaces.from: All` whoever may make an HTTPRoute anywhere in the cluster takes over a path of the gateway's hostname. `Same` is the default; `Selector` names the namespaces.",
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
        `the listener takes routes from ${from.shown}`,
        "set allowedRoutes.namespaces.from to Same",
      );
    }
  },
};
