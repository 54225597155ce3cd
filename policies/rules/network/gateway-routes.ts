import { isObject } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { judge, type ResourceRule, type Subject, type Verdict } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";

/** Gateways accept routes of this stack only. */
export const gatewayRoutes: ResourceRule = {
  name: "network-gateway-routes",
  title: "Gateways accept routes of selected namespaces, and routes send requests to Services of the stack",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "With `allowedRoutes.namespaces.from: All`, a user who can create an HTTPRoute in any namespace of the cluster can take over a path of the gateway's host name. `Same` is the default; `Selector` selects namespaces. A route sends requests to Services in its own namespace, and to nothing else: a filter that mirrors them sends the tokens of users to a second place, and an extension that no rule understands can do anything with them.",
  references: [{ standard: "Gateway API", item: "Security model: cross-namespace routing" }],
  notApplicable: onlyOnKubernetes,
  concerns: isObject("Gateway", "HTTPRoute", "GRPCRoute"),
  *check(subject) {
    if (!isGateway(subject.resource)) return yield* route(subject);
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

const isGateway = isObject("Gateway");
const FILTERS = ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "CORS"];

function* route(subject: Subject): Generator<Verdict, void> {
  for (const rule of subject.inputs.at("spec", "rules").each()) {
    const backends = rule.at("backendRefs").each();
    for (const filter of [rule, ...backends].flatMap((place) => place.at("filters").each())) {
      const type = filter.at("type");
      const own = filter.at("extensionRef", "group").is("gateway.envoyproxy.io");
      yield judge(
        subject,
        type,
        any(type.is(...FILTERS), own),
        type.is("RequestMirror") === true
          ? "the route sends a copy of each request, with its token, to a second place"
          : `the rules do not understand the filter ${type.shown}`,
        "remove the filter",
      );
    }
    for (const backend of backends) {
      const [namespace, own] = [backend.at("namespace"), subject.inputs.at("metadata", "namespace")];
      yield judge(
        subject,
        namespace,
        any(namespace.isAbsent, own.text === undefined ? own.isPresent : namespace.is(own.text)),
        `the route sends requests to namespace ${namespace.shown}`,
        "remove namespace, and send them to a Service of the stack",
      );
      yield judge(
        subject,
        backend,
        all(backend.at("kind").isAbsentOr("Service"), backend.at("group").isAbsentOr("")),
        `the route sends requests to ${backend.at("kind").shown} ${backend.at("name").shown}, which is not a Service`,
        "send them to a Service of the stack",
      );
    }
  }
}
