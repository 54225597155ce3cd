import { describe, expect, it } from "vitest";
import { SLOTS } from "../../contract/slots.ts";
import { KIND_PORTS, LISTENERS, ROUTING_NAMES } from "../../contract/gateway.ts";
import type { Resource } from "../../contract/graph.ts";
import {
  envoyProxy,
  gateway,
  pinnedRoute,
  sharedRoute,
  type GatewayObject,
  type RoutingSpec,
} from "../../components/routing/gateway.ts";
import { backendPolicy, clientPolicy, sessionPolicy } from "../../components/routing/gateway-policies.ts";
import { KubernetesRouting, type KubernetesRoutingArgs } from "../../components/routing/kubernetes.ts";
import { captureProgram } from "../../synth/capture.ts";

const spec: RoutingSpec = {
  services: { blue: "server-blue", green: "server-green" },
  hostname: "exai.example.com",
  wsPort: 8079,
  tlsSecret: "exai-tls",
  gatewayClass: "envoy",
  replicas: 2,
  serviceType: "LoadBalancer",
  proxyImage: undefined,
  sessionTags: true,
};

interface Rule {
  matches: { path: { value: string }; method?: string; headers?: { name: string; type: string; value: string }[] }[];
  backendRefs?: { name: string; port: number; weight: number; filters?: unknown }[];
  timeouts: { request: string };
  sessionPersistence?: unknown;
}
const rules = (object: GatewayObject) => object.spec.rules as Rule[];

describe("the shared route", () => {
  it.each([
    ["http", [KIND_PORTS.stream, 8080]],
    ["websocket", [8079]],
  ] as const)("of %s names both slots in a rule for each kind, with their weights", (listener, ports) => {
    const found = rules(sharedRoute(spec, listener, { blue: 75, green: 25 }));
    expect(found.map(({ backendRefs }) => backendRefs)).toEqual(
      ports.map((port) => [
        { kind: "Service", name: "server-blue", port, weight: 75 },
        { kind: "Service", name: "server-green", port, weight: 25 },
      ]),
    );
    for (const { timeouts } of found) expect(timeouts.request).toBe("0s");
  });
});

describe("the pinned route", () => {
  it("leads each slot's tokens, and each slot's sessions, to that slot alone, on separate ports", () => {
    const found = rules(pinnedRoute(spec, "http"));
    for (const slot of SLOTS) {
      const to = (...headers: { name: string; value: string }[]) =>
        found
          .filter(({ matches }) =>
            matches.some((match) =>
              match.headers?.every(({ name, value, type }) =>
                headers.some((given) => {
                  if (given.name !== name) return false;
                  return type === "Exact" ? given.value === value : new RegExp(`^(?:${value})$`).test(given.value);
                }),
              ),
            ),
          )
          .flatMap(({ backendRefs = [] }) => backendRefs.map(({ name, port }) => `${name}:${String(port)}`));
      const { stream, session, tester, probe } = KIND_PORTS;
      const of = (...ports: number[]) => ports.map((port) => `server-${slot}:${String(port)}`);
      expect(to({ name: "x-exai-slot", value: `${slot}-tester` })).toEqual(of(tester));
      expect(to({ name: "x-exai-slot", value: `${slot}-probe` })).toEqual(of(probe));
      expect(to({ name: "mcp-session-id", value: `${slot}.10.0.0.1:8080~abc` })).toEqual(of(stream, session));
      expect(to({ name: "x-exai-session-slot", value: slot })).toEqual(of(stream, session));
      expect(to({ name: "x-exai-slot", value: slot }, { name: "mcp-session-id", value: `${slot}xabc` })).toEqual([]);
    }
  });

  it("has a rule for every path and method that the shared route has one for", () => {
    const places = (object: GatewayObject) =>
      new Set(
        rules(object).flatMap(({ matches }) => matches.map(({ path, method = "" }) => `${method} ${path.value}`)),
      );
    for (const listener of LISTENERS)
      expect(places(pinnedRoute(spec, listener))).toEqual(places(sharedRoute(spec, listener, { blue: 100, green: 0 })));
  });

  it("names its rules apart, and has no more of them than an HTTPRoute may have", () => {
    for (const listener of LISTENERS) {
      const names = (pinnedRoute(spec, listener).spec.rules as { name: string }[]).map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      expect(names.length).toBeLessThanOrEqual(16);
    }
  });

  it("has no sessions on the WebSocket port, or if tagging is off", () => {
    expect(rules(pinnedRoute(spec, "websocket"))).toHaveLength(6);
    expect(rules(pinnedRoute({ ...spec, sessionTags: false }, "http"))).toHaveLength(8);
  });

  it("refers to each backend of the shared route, so that the clusters stay when a weight becomes 0", () => {
    const backends = (object: GatewayObject) =>
      rules(object).flatMap(({ backendRefs = [] }) => backendRefs.map(({ name, port }) => `${name}:${String(port)}`));
    for (const given of [spec, { ...spec, sessionTags: false }])
      for (const listener of LISTENERS) {
        const pinned = pinnedRoute(given, listener);
        expect(backends(pinned)).toEqual(
          expect.arrayContaining(backends(sharedRoute(given, listener, { blue: 50, green: 50 }))),
        );
        for (const { backendRefs = [] } of rules(pinned))
          for (const { weight } of backendRefs) expect(weight).toBeGreaterThan(0);
      }
  });

  it("has nothing that keeps the gateway from merging clusters", () => {
    for (const listener of ["http", "websocket"] as const)
      for (const rule of [
        ...rules(pinnedRoute(spec, listener)),
        ...rules(sharedRoute(spec, listener, { blue: 100, green: 0 })),
      ]) {
        expect(rule.sessionPersistence).toBeUndefined();
        for (const backend of rule.backendRefs ?? []) expect(backend.filters).toBeUndefined();
      }
    expect(envoyProxy(spec).spec.mergeBackends).toEqual({});
  });
});

describe("the gateway", () => {
  const listeners = (given: RoutingSpec) =>
    (gateway(given).spec.listeners as { name: string; port: number; protocol: string; tls?: object }[]).map(
      ({ name, port, protocol, tls }) => [name, port, protocol, tls !== undefined],
    );

  it("ends TLS on the HTTPS and the WebSocket port where there is a certificate", () => {
    expect(listeners(spec)).toEqual([
      ["http", 80, "HTTP", false],
      ["https", 443, "HTTPS", true],
      ["websocket", 8079, "HTTPS", true],
    ]);
  });

  it("speaks plain HTTP where there is none", () => {
    expect(listeners({ ...spec, tlsSecret: undefined })).toEqual([
      ["http", 80, "HTTP", false],
      ["websocket", 8079, "HTTP", false],
    ]);
  });
});

describe("the policies", () => {
  const headers = (given: RoutingSpec): { name: string; value: string }[] =>
    (clientPolicy(given).spec.headers as { lateResponseHeaders: { set: { name: string; value: string }[] } })
      .lateResponseHeaders.set;

  it("say which slot answered, and tag sessions only where that is on", () => {
    expect(headers(spec).map(({ name }) => name)).toEqual([
      "x-exai-served-by",
      "mcp-session-id",
      "strict-transport-security",
    ]);
    expect(headers({ ...spec, sessionTags: false }).map(({ name }) => name)).not.toContain("mcp-session-id");
    expect(headers({ ...spec, tlsSecret: undefined }).map(({ name }) => name)).not.toContain(
      "strict-transport-security",
    );
  });

  it("have header values that Envoy Gateway takes: visible, single spaces", () => {
    for (const { value } of headers(spec)) expect(value).toMatch(/^[!-~]+([\t ]?[!-~]+)*$/);
  });

  it("name the statistics of a route after its rule, which says what the rollout's table says", () => {
    expect(backendPolicy().spec).toMatchObject({ telemetry: { metrics: { routeStatName: "%ROUTE_RULE_NAME%" } } });
  });

  it("keep the slot when the tag is stripped", () => {
    const [{ inline } = { inline: "" }] = sessionPolicy().spec.lua as { inline: string }[];
    expect(inline.indexOf('replace("x-exai-session-slot"')).toBeGreaterThan(0);
    expect(inline.indexOf('replace("x-exai-session-slot"')).toBeLessThan(inline.indexOf('replace("mcp-session-id"'));
  });
});

describe("the routing of a stack", () => {
  async function build(more: Partial<KubernetesRoutingArgs> = {}): Promise<readonly Resource[]> {
    const graph = await captureProgram("staging", () => {
      new KubernetesRouting("routing", {
        platform: { instance: "exai-test", stack: "staging", namespace: "exai-test" },
        access: { keys: "{}", privateKey: "a key" },
        ...spec,
        ...more,
      });
      return Promise.resolve({});
    });
    return graph.resources;
  }
  const routes = (resources: readonly Resource[]) =>
    Object.fromEntries(
      resources
        .filter(({ type }) => type.endsWith(":HTTPRoute"))
        .map((resource) => [(resource.inputs.metadata as { name: string }).name, resource]),
    );

  it("leaves the rules of the shared routes, and of no other, to the rollout controller", async () => {
    const found = routes(await build());
    const shared: string[] = Object.values(ROUTING_NAMES.shared);
    expect(Object.keys(found)).toEqual(expect.arrayContaining([...shared, ...Object.values(ROUTING_NAMES.pinned)]));
    for (const [name, { options }] of Object.entries(found))
      expect(options.ignoreChanges, name).toEqual(shared.includes(name) ? ["spec.rules"] : []);
  });

  it("makes the rules of both slots before any route has weights", async () => {
    const found = routes(await build());
    for (const listener of ["http", "websocket"] as const) {
      const pinned = found[ROUTING_NAMES.pinned[listener]];
      expect(found[ROUTING_NAMES.shared[listener]]?.dependencies).toContain(pinned?.urn);
    }
  });

  it("redirects only where there is something to redirect to", async () => {
    expect(routes(await build())).toHaveProperty(ROUTING_NAMES.redirect);
    expect(routes(await build({ tlsSecret: undefined }))).not.toHaveProperty(ROUTING_NAMES.redirect);
  });

  it("needs Lua in the controller only for session tags", async () => {
    const kinds = (resources: readonly Resource[]) => resources.map(({ type }) => type.split(":").at(-1));
    expect(kinds(await build())).toContain("EnvoyExtensionPolicy");
    expect(kinds(await build({ sessionTags: false }))).not.toContain("EnvoyExtensionPolicy");
  });
});
