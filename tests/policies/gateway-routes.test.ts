import { expect, it } from "vitest";
import type { Inputs, Value } from "../../contract/graph.ts";
import { gatewayRoutes } from "../../policies/rules/network/gateway-routes.ts";
import { outcome, resource } from "./support.ts";

/** What the rule says of a route. */
function messages(rule: Inputs, type = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"): readonly string[] {
  const inputs = {
    metadata: { name: "route", namespace: "exai" },
    spec: { parentRefs: [{ name: "gateway" }], rules: [rule] },
  };
  return outcome(gatewayRoutes, "prod", resource(type, inputs)).findings.map(({ message }) => message);
}

const backend = (more: Inputs = {}): Value => ({ name: "server", port: 80, ...more });

it("a route sends requests to Services, with filters that are understood", () => {
  expect(
    messages({
      filters: [
        { type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "x", value: "y" }] } },
        { type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } } },
        {
          type: "ExtensionRef",
          extensionRef: { group: "gateway.envoyproxy.io", kind: "HTTPRouteFilter", name: "busy" },
        },
      ],
      backendRefs: [backend(), backend({ group: "", kind: "Service", weight: 5 })],
    }),
  ).toEqual([]);
  expect(messages({ filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https" } }] })).toEqual([]);
});

it("a route does not copy requests, nor send them elsewhere", () => {
  const mirror = { type: "RequestMirror", requestMirror: { backendRef: { name: "spy", port: 80 } } };
  const copied = ["the route sends a copy of each request, with its token, to a second place"];
  expect(messages({ filters: [mirror], backendRefs: [backend()] })).toEqual(copied);
  expect(messages({ backendRefs: [backend({ filters: [mirror] })] })).toEqual(copied);
  expect(messages({ filters: [mirror] }, "kubernetes:gateway.networking.k8s.io/v1:GRPCRoute")).toEqual(copied);
  expect(
    messages({ filters: [{ type: "ExtensionRef", extensionRef: { group: "example.com", kind: "Lua", name: "a" } }] }),
  ).toEqual(['the rules do not understand the filter "ExtensionRef"']);
  expect(messages({ backendRefs: [backend({ group: "gateway.envoyproxy.io", kind: "Backend" })] })).toEqual([
    'the route sends requests to "Backend" "server", which is not a Service',
  ]);
  expect(messages({ backendRefs: [backend({ namespace: "default" })] })).toEqual([
    'the route sends requests to namespace "default"',
  ]);
});
