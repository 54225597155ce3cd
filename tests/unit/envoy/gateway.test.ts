import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { EVICTIONS, evictionStat } from "../../../contract/envoy/metrics.ts";
import { CLUSTERS } from "../../../contract/envoy/names.ts";
import { FIRST_TABLE, type RouteTable } from "../../../contract/envoy/routes.ts";
import {
  gatewayTable,
  LISTENERS,
  parseServiceCluster,
  ROUTING_NAMES,
  servicePorts,
  sharedRules,
  type Listener,
} from "../../../contract/gateway.ts";
import { pinnedRoute, type RoutingSpec } from "../../../components/routing/gateway.ts";
import { tables } from "./tables.ts";

const NAMESPACE = "exai-test";
const WS_PORT = 8079;

const spec: RoutingSpec = {
  services: { blue: "server-blue", green: "server-green" },
  hostname: "exai.example.com",
  wsPort: WS_PORT,
  tlsSecret: "exai-tls",
  gatewayClass: "envoy",
  replicas: 2,
  serviceType: "LoadBalancer",
  proxyImage: undefined,
  sessionTags: true,
};

interface Rule {
  readonly name?: string;
  readonly matches: readonly {
    readonly path: { readonly type: string; readonly value: string };
    readonly method?: string;
    readonly headers?: readonly { readonly type: string; readonly name: string; readonly value: string }[];
  }[];
  readonly backendRefs?: readonly { readonly name: string; readonly port: number; readonly weight: number }[];
}

/** One match of one rule: a route of Envoy, as Envoy Gateway makes them. */
interface Candidate {
  readonly route: string;
  readonly rule: Rule;
  readonly match: Rule["matches"][number];
}

interface Routes {
  readonly table?: RouteTable;
}

/** The routes of a listener of the gateway. */
function candidates(listener: Listener, { table = FIRST_TABLE }: Routes): Candidate[] {
  const pinned = pinnedRoute(spec, listener).spec.rules as Rule[];
  const shared = sharedRules({ listener, wsPort: WS_PORT, table });
  const of = (route: string, rules: readonly Rule[]): Candidate[] =>
    rules.flatMap((rule) => rule.matches.map((match) => ({ route, rule, match })));
  return [
    ...of(ROUTING_NAMES.shared[listener], shared as unknown as readonly Rule[]),
    ...of(ROUTING_NAMES.pinned[listener], pinned),
  ];
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

function matches({ path, method, headers = [] }: Candidate["match"], request: Request): boolean {
  const onPath =
    path.type === "Exact"
      ? request.path === path.value
      : path.value === "/" || request.path === path.value || request.path.startsWith(`${path.value}/`);
  return (
    onPath &&
    (method === undefined || method === request.method) &&
    headers.every(({ type, name, value }) => {
      const given = request.headers[name];
      if (given === undefined) return false;
      return type === "Exact" ? given === value : new RegExp(`^(?:${value})$`).test(given);
    })
  );
}

/** The Gateway API's order: exact path, longer path, method, more headers. */
function byStandard({ match }: Candidate): number[] {
  const { path, method, headers = [] } = match;
  const length = path.value === "/" ? 0 : path.value.length;
  return [path.type === "Exact" ? 1 : 0, length, method === undefined ? 0 : 1, headers.length];
}

/** Envoy Gateway's order (internal/gatewayapi/sort.go): the method is one of the headers, and exact ones count more. */
function byEnvoyGateway(candidate: Candidate): number[] {
  const [exact = 0, length = 0, method = 0, headers = 0] = byStandard(candidate);
  const exactHeaders = (candidate.match.headers ?? []).filter(({ type }) => type === "Exact").length;
  return [exact, length, headers + method, exactHeaders + method];
}

type Order = typeof byStandard;

function chosen(from: readonly Candidate[], request: Request, order: Order): Rule | undefined {
  const larger = (a: readonly number[], b: readonly number[]): number => {
    const at = a.findIndex((value, i) => value !== b[i]);
    return at < 0 ? 0 : (b[at] ?? 0) - (a[at] ?? 0);
  };
  return from.filter(({ match }) => matches(match, request)).sort((a, b) => larger(order(a), order(b)))[0]?.rule;
}

/** What the policy of sessions does to a request, after which the route is chosen again. */
function untagged(request: Request): Request {
  const tag = /^(blue|green)[.](?:[\da-f.:[\]]+:\d+~)?(.*)$/i.exec(request.headers["mcp-session-id"] ?? "");
  if (tag === null) return request;
  const [, slot = "", session = ""] = tag;
  const own = "x-exai-slot" in request.headers ? {} : { "x-exai-session-slot": slot };
  return { ...request, headers: { ...request.headers, ...own, "mcp-session-id": session } };
}

/** Where a request goes: `blue/stream`, `weights/plain`, or `gone` for the sessions of an evicted slot. */
function destination(listener: Listener, routes: Routes, request: Request, order: Order): string {
  const rule = chosen(candidates(listener, routes), untagged(request), order);
  if (rule?.backendRefs === undefined) return rule === undefined ? "none" : "gone";
  const ports = servicePorts(WS_PORT);
  const kinds = new Set(
    rule.backendRefs.map(({ port }) => Object.entries(ports).find(([, each]) => each === port)?.[0]),
  );
  const slots = rule.backendRefs.map(({ name }) => name.replace("server-", ""));
  return `${slots.length > 1 ? "weights" : String(slots[0])}/${[...kinds].join()}`;
}

/** What the gateway makes of a verified token. */
const tester = (slot: Slot) => ({ "x-exai-slot": `${slot}-tester` });
const probe = (slot: Slot) => ({ "x-exai-slot": `${slot}-probe` });
const session = (slot: Slot) => ({ "mcp-session-id": `${slot}.10.88.0.7:8080~0b7e` });

describe.each([
  ["the Gateway API", byStandard],
  ["Envoy Gateway", byEnvoyGateway],
] as const)("in the order of %s", (_, order) => {
  const evicted: RouteTable = {
    ...{ generation: 9, token: 4, weights: { blue: 100, green: 0 }, evicted: ["green"], emptied: [] },
  };

  const released: RouteTable = { ...evicted, evicted: [] };

  it.each<[string, string, Record<string, string>, string, string]>([
    ["GET", "/health", {}, "weights/plain", "weights/plain"],
    ["GET", "/health", tester("green"), "green/tester", "green/tester"],
    ["GET", "/health", probe("green"), "green/probe", "green/probe"],
    ["GET", "/health", { "x-exai-slot": "green" }, "weights/plain", "weights/plain"],
    ["GET", "/ws/dashboard", {}, "weights/stream", "weights/stream"],
    ["GET", "/ws/dashboard", tester("green"), "green/tester", "green/tester"],
    ["GET", "/ws/dashboard/", {}, "weights/plain", "weights/plain"],
    ["POST", "/mcp", {}, "weights/plain", "weights/plain"],
    ["POST", "/mcp", tester("green"), "green/tester", "green/tester"],
    ["POST", "/mcp", session("blue"), "blue/session", "blue/session"],
    ["POST", "/mcp", session("green"), "green/session", "gone"],
    ["DELETE", "/mcp", session("green"), "green/session", "gone"],
    ["GET", "/mcp", {}, "weights/stream", "weights/stream"],
    ["GET", "/mcp/", tester("blue"), "blue/tester", "blue/tester"],
    ["GET", "/mcp", session("blue"), "blue/stream", "blue/stream"],
    ["GET", "/mcp", session("green"), "green/stream", "gone"],
    // A token wins over a tag, also on an evicted slot.
    ["GET", "/mcp", { ...session("blue"), ...tester("green") }, "green/tester", "green/tester"],
    ["POST", "/mcp", { ...session("green"), ...probe("green") }, "green/probe", "green/probe"],
    ["GET", "/mcpx", tester("green"), "green/tester", "green/tester"],
  ])("%s %s with %j goes to %s, after the eviction of green to %s", (method, path, headers, before, after) => {
    const request = { method, path, headers };
    expect(destination("http", { table: released }, request, order)).toBe(before);
    expect(destination("http", { table: evicted }, request, order)).toBe(after);
  });

  it("routes the WebSocket port to its own clusters, for any path", () => {
    for (const path of ["/", "/mcp", "/ws/dashboard"]) {
      const request = { method: "GET", path, headers: {} };
      expect(destination("websocket", {}, request, order)).toBe("weights/websocket");
      expect(destination("websocket", {}, { ...request, headers: tester("green") }, order)).toBe(
        "green/tester-websocket",
      );
    }
  });
});

/** What a proxy's dump of these routes looks like, as far as it is read. */
function dumpOf(routes: Routes, namespace = NAMESPACE): unknown {
  const cluster = ({ name, port }: { name: string; port: number }): string =>
    `service/${namespace}/${name}/${String(port)}/http`;
  const action = ({ backendRefs }: Rule): object => {
    if (backendRefs === undefined) return { direct_response: { status: 404 } };
    // Envoy Gateway leaves out what has no weight, and names a single cluster as such.
    const [first, ...others] = backendRefs.filter(({ weight }) => weight > 0);
    if (first === undefined) return { direct_response: { status: 500 } };
    if (others.length === 0) return { route: { cluster: cluster(first) } };
    const clusters = [first, ...others].map((each) => ({ name: cluster(each), weight: each.weight }));
    return { route: { weighted_clusters: { clusters } } };
  };
  const of = (listener: Listener): object[] =>
    candidates(listener, routes).map(({ route, rule }) => {
      const resource = { kind: "HTTPRoute", namespace, name: route, sectionName: rule.name };
      return { ...action(rule), metadata: { filter_metadata: { "envoy-gateway": { resources: [resource] } } } };
    });
  return { configs: LISTENERS.map((each) => ({ route_config: { virtual_hosts: [{ routes: of(each) }] } })) };
}

describe("the read-back", () => {
  it("reads a table as it was written", () => {
    fc.assert(
      fc.property(tables, (table) => {
        expect(gatewayTable(dumpOf({ table }), NAMESPACE)).toEqual(table);
      }),
    );
  });

  it("has a rule for each evicted slot whose name, and so whose statistics, end with what the table says of it", () => {
    fc.assert(
      fc.property(tables, (table) => {
        const rules = LISTENERS.flatMap((each) => candidates(each, { table }));
        const names = [...new Set(rules.map(({ rule }) => String(rule.name)))];
        const said = EVICTIONS.flatMap((eviction) => SLOTS.map((slot) => evictionStat(eviction, slot)));
        expect(said.filter((end) => names.some((name) => new RegExp(`^(?:.*-)?${end}$`).test(name)))).toEqual([
          ...table.evicted.filter((slot) => !table.emptied.includes(slot)).map((each) => `evicted-${each}`),
          ...table.emptied.map((each) => `emptied-${each}`),
        ]);
      }),
    );
  });

  it("knows nothing of another stack's routes", () => {
    const dump = dumpOf({}, "another");
    expect(gatewayTable(dump, NAMESPACE)).toBeUndefined();
  });

  it.each(["generation-1-token-0", "generation-1-token-0-stream"])("refuses other weights in the rule %s", (rule) => {
    const dump = dumpOf({ table: { ...FIRST_TABLE, weights: { blue: 40, green: 60 } } });
    const changed = JSON.stringify(dump, (_, value: unknown) => {
      if (!JSON.stringify(value ?? null).includes(`"sectionName":"${rule}"`)) return value;
      const { route } = value as { route?: { weighted_clusters?: { clusters: { weight: number }[] } } };
      for (const cluster of route?.weighted_clusters?.clusters ?? []) cluster.weight = 100 - cluster.weight;
      return value;
    });
    expect(changed).not.toBe(JSON.stringify(dumpOf({ table: { ...FIRST_TABLE, weights: { blue: 40, green: 60 } } })));
    expect(() => gatewayTable(JSON.parse(changed), NAMESPACE)).toThrow("contradict");
  });

  it("refuses rules of two tables", () => {
    const [older, newer] = [dumpOf({}), dumpOf({ table: { ...FIRST_TABLE, generation: 2 } })] as {
      configs: unknown[];
    }[];
    const mixed = { configs: [older?.configs[0], newer?.configs[1]] };
    expect(() => gatewayTable(mixed, NAMESPACE)).toThrow("contradict");
    expect(() => gatewayTable({ configs: [older?.configs[0], newer?.configs[0]] }, NAMESPACE)).toThrow("two tables");
  });
});

describe("the name of a merged cluster", () => {
  const home = { namespace: NAMESPACE, wsPort: WS_PORT };

  it("says slot and kind", () => {
    for (const { slot, kind } of CLUSTERS) {
      const name = `service/${NAMESPACE}/server-${slot}/${String(servicePorts(WS_PORT)[kind])}`;
      expect(parseServiceCluster(name, home)).toEqual({ slot, kind });
      expect(parseServiceCluster(`${name}/http`, home)).toEqual({ slot, kind });
    }
  });

  it.each([
    "service/another/server-blue/8080/http",
    `service/${NAMESPACE}/prometheus/8080/http`,
    `service/${NAMESPACE}/server-blue/9090/http`,
    `httproute/${NAMESPACE}/server/rule/0`,
  ])("%s is none of a slot's", (name) => {
    expect(parseServiceCluster(name, home)).toBeUndefined();
  });
});
