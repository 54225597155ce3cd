import { SLOTS, type Slot, type Weights } from "./slots.ts";
import { evictionStat } from "./envoy/metrics.ts";
import { checkWeights, evictionOf, type RouteTable } from "./envoy/routes.ts";
import { CLUSTER_KINDS, slotHost, type ClusterKind } from "./envoy/names.ts";
import type { Audience } from "./envoy/access.ts";
import { HEADERS, HTTP_PORT, SERVER_PATHS } from "./server.ts";

/**
 * The routes of a cluster, which the program makes and the rollout owns from then on: both write the same rules, so that
 * a stack looks alike before and after its first rollout.
 */

/** Names of the objects, in the stack's namespace. The rollout controller writes the rules of the two `shared` routes. */
export const ROUTING_NAMES = {
  gateway: "exai",
  proxy: "exai",
  policy: "exai",
  shared: { http: "server", websocket: "server-websocket" },
  pinned: { http: "server-pinned", websocket: "server-websocket-pinned" },
  redirect: "redirect-to-https",
  /** The page that stores a tester's token in the browser. */
  accessPage: "tester-access",
  /** HTTPRouteFilter that answers the sessions of an evicted slot. */
  goneSession: "session-gone",
} as const;

/** The Secret with the private key for access to the slots, which rollouts read. */
export const ACCESS_SECRET = { name: "exai-access", entry: "key.pem" } as const;

/** Group and version of the routes. */
export const GATEWAY_API = "gateway.networking.k8s.io/v1";

/** Group and version of Envoy Gateway's own objects. */
export const ENVOY_GATEWAY = "gateway.envoyproxy.io/v1alpha1";

/** The gateway's two listeners. Each has its own shared route. */
export const LISTENERS = ["http", "websocket"] as const;

/** `http`: requests and MCP. `websocket`: EXAI_WS_PORT. */
export type Listener = (typeof LISTENERS)[number];

/** What comes in by each listener. */
export const LISTENER_KINDS: Readonly<Record<Listener, readonly ClusterKind[]>> = {
  http: ["stream", "plain"],
  websocket: ["websocket"],
};

/**
 * Ports of the slots' Services that lead to the pods' HTTP or WebSocket port. Envoy Gateway makes one cluster of each Service and
 * port, so a separate port gives a kind a separate cluster.
 */
export const KIND_PORTS = {
  stream: 8078,
  session: 8077,
  probe: 8076,
  "probe-websocket": 8075,
  tester: 8074,
  "tester-websocket": 8073,
} as const satisfies Partial<Record<ClusterKind, number>>;

/** Port of the slots' Services for each kind of cluster. */
export function servicePorts(wsPort: number): Readonly<Record<ClusterKind, number>> {
  return { plain: HTTP_PORT, websocket: wsPort, ...KIND_PORTS };
}

/** The part of an HTTPRoute's rule that is written here. `Name` is a Service's name, or the program's output of it. */
export type RouteRule<Name = string> = Readonly<Record<string, unknown>> & {
  readonly backendRefs?: readonly { readonly name: Name; readonly port: number; readonly weight: number }[];
};

/** What the rules of a shared route are made from. */
export interface SharedRules<Name = string> {
  readonly listener: Listener;
  readonly table: RouteTable;
  /** EXAI_WS_PORT. */
  readonly wsPort: number;
  /** Names of the slots' Services. @default those of {@link slotHost} */
  readonly services?: Readonly<Record<Slot, Name>>;
}

/** How Envoy Gateway names the statistics of a route: after the rule that it was made from. */
export const ROUTE_STAT_NAME = "%ROUTE_RULE_NAME%";

/** The route has no time-out: event streams and WebSockets last, and the server has its own time-outs. */
export const ROUTE_TIMEOUTS = { request: "0s" } as const;

/** What an HTTPRoute matches for each kind. */
export function kindMatches(kind: ClusterKind): readonly Readonly<Record<string, unknown>>[] {
  if (kind !== "stream") return [{ path: { type: "PathPrefix", value: "/" } }];
  return [
    { path: { type: "Exact", value: SERVER_PATHS.dashboardWebSocket } },
    // Bytes of an upload come as fast as its client sends them.
    { path: { type: "Exact", value: SERVER_PATHS.uploads }, method: "PATCH" },
    { path: { type: "PathPrefix", value: SERVER_PATHS.mcp }, method: "GET" },
  ];
}

/**
 * The rules of a shared route: both slots with their weights, and before them the evicted slots' sessions. Each rule's
 * name says which table it is; Envoy Gateway hands it on to Envoy, so that the read-back proves that exactly this table
 * is in force, and by {@link ROUTE_STAT_NAME} to Envoy's statistics, which so say what it evicts.
 *
 * The order has no effect: a longer path wins, then more conditions, including the method. So a rule for a path wins over
 * a pinned rule that only names a slot, and needs pinned rules for the same path.
 */
export function sharedRules<Name = string>(shared: SharedRules<Name>): readonly RouteRule<Name>[] {
  const { listener, table } = shared;
  checkWeights(table.weights);
  const name = tableName(table);
  return [
    ...(listener === "http" ? SLOTS.filter((slot) => table.evicted.includes(slot)) : []).map((slot) => ({
      name: `${name}-${evictionStat(evictionOf(table, slot), slot)}`,
      // A second match for GET: with the method it has more conditions than the slot's pinned rule of streams.
      matches: [{}, { method: "GET" }].map((method) => ({
        ...method,
        path: { type: "PathPrefix", value: SERVER_PATHS.mcp },
        // When Envoy selects the final route, a request with a slot's tag carries this header instead.
        headers: [
          { type: "Exact", name: HEADERS.sessionSlot, value: slot },
          { type: "RegularExpression", name: HEADERS.mcpSessionId, value: ".+" },
        ],
      })),
      filters: [
        {
          type: "ExtensionRef",
          extensionRef: {
            group: ENVOY_GATEWAY.split("/")[0],
            kind: "HTTPRouteFilter",
            name: ROUTING_NAMES.goneSession,
          },
        },
      ],
      timeouts: ROUTE_TIMEOUTS,
    })),
    ...LISTENER_KINDS[listener].map((kind) => ({
      name: kind === "stream" ? `${name}-stream` : name,
      matches: kindMatches(kind),
      backendRefs: SLOTS.map((slot) => backendRef(shared, kind, slot, table.weights[slot])),
      timeouts: ROUTE_TIMEOUTS,
    })),
  ];
}

/** A Service as a rule names it. */
export function backendRef<Name = string>(
  { wsPort, services }: Pick<SharedRules<Name>, "wsPort" | "services">,
  kind: ClusterKind,
  slot: Slot,
  weight: number,
): { readonly kind: "Service"; readonly name: Name; readonly port: number; readonly weight: number } {
  const name = services === undefined ? (slotHost(slot) as Name) : services[slot];
  return { kind: "Service", name, port: servicePorts(wsPort)[kind], weight };
}

/** Name of a pinned rule: its kind, its criterion and its slot. */
export function pinnedName(kind: ClusterKind, by: "session" | Audience, slot: Slot): string {
  return `${kind}-${by}-${slot}`;
}

/** MCP (Streamable HTTP, session management): a client that gets 404 for its session must initialise a new one. */
export function goneSessionFilter(): Readonly<Record<string, unknown>> {
  const message = "Session not found: its slot was rolled back; initialize a new session";
  return {
    directResponse: {
      statusCode: 404,
      contentType: "application/json",
      body: { type: "Inline", inline: JSON.stringify({ jsonrpc: "2.0", error: { code: -32001, message }, id: null }) },
    },
  };
}

function tableName({ generation, token }: Pick<RouteTable, "generation" | "token">): string {
  return `generation-${String(generation)}-token-${String(token)}`;
}

/** The state of a shared route in one proxy. */
interface SharedRoute {
  readonly generation: number;
  readonly token: number;
  /** Of each of its weighted rules. */
  readonly weights: readonly Weights[];
  readonly evicted: readonly Slot[];
  readonly emptied: readonly Slot[];
}

/**
 * The table that an Envoy proxy of the gateway has in force, from the body of
 * `/config_dump?resource=dynamic_route_configs`. Both shared routes must have the same one, and all their rules the same
 * weights.
 *
 * @returns undefined when the proxy has no routes of this namespace yet.
 * @throws Error if the two routes contradict each other, as they do for the moment between two writes.
 */
export function gatewayTable(configDump: unknown, namespace: string): RouteTable | undefined {
  const found = new Map<Listener, SharedRoute>();
  for (const route of routesOf(configDump)) {
    const resource = resourceOf(route);
    if (resource?.namespace !== namespace) continue;
    const listener = LISTENERS.find((each) => ROUTING_NAMES.shared[each] === resource.name);
    if (listener === undefined) continue;
    const name = /^generation-(\d+)-token-(\d+)(?:-stream|-(evicted|emptied)-(blue|green))?$/.exec(
      resource.sectionName ?? "",
    );
    // A rule without such a name was not written by the controller: it counts as generation 1.
    const [generation, token] = name === null ? [1, 0] : [Number(name[1]), Number(name[2])];
    const before = found.get(listener);
    if (before !== undefined && (before.generation !== generation || before.token !== token))
      throw new Error(`the proxy has rules of two tables, ${before.generation} and ${generation}`);
    const slot = name?.[4] as Slot | undefined;
    const gone = slot !== undefined && field(route, "direct_response") !== undefined ? [slot] : [];
    found.set(listener, {
      generation,
      token,
      weights: [...(before?.weights ?? []), ...(slot === undefined ? [weightsOf(field(route, "route"))] : [])],
      evicted: [...(before?.evicted ?? []), ...gone],
      emptied: [...(before?.emptied ?? []), ...(name?.[3] === "emptied" ? gone : [])],
    });
  }
  const [http, websocket] = [found.get("http"), found.get("websocket")];
  if (http === undefined || websocket === undefined) return undefined;
  const [weights, ...others] = [...http.weights, ...websocket.weights];
  if (
    weights === undefined ||
    http.generation !== websocket.generation ||
    http.token !== websocket.token ||
    others.some((other) => SLOTS.some((slot) => other[slot] !== weights[slot]))
  )
    throw new Error(`the proxy's routes contradict each other: ${JSON.stringify(http)}, ${JSON.stringify(websocket)}`);
  const { generation, token } = http;
  const evicted = SLOTS.filter((each) => http.evicted.includes(each));
  const emptied = SLOTS.filter((each) => http.emptied.includes(each));
  return { generation, token, weights, evicted, emptied };
}

/** Slot and kind of a merged cluster, `service/<namespace>/server-<slot>/<port>/…`; undefined for any other. */
export function parseServiceCluster(
  name: string,
  { namespace, wsPort }: { readonly namespace: string; readonly wsPort: number },
): { readonly slot: Slot; readonly kind: ClusterKind } | undefined {
  const [object, home, service, port] = name.split("/");
  const slot = SLOTS.find((each) => slotHost(each) === service);
  const kind = CLUSTER_KINDS.find((each) => servicePorts(wsPort)[each] === Number(port));
  if (object !== "service" || home !== namespace || slot === undefined || kind === undefined) return undefined;
  return { slot, kind };
}

function weightsOf(action: unknown): Weights {
  const weights = { blue: 0, green: 0 };
  const single = field(action, "cluster");
  const clusters =
    typeof single === "string"
      ? [{ name: single, weight: 100 }]
      : children(field(field(action, "weighted_clusters"), "clusters"));
  for (const cluster of clusters) {
    const service = String(field(cluster, "name")).split("/")[2];
    const slot = SLOTS.find((each) => slotHost(each) === service);
    // A weight of 0 may be left out of the dump: it is the default of its field.
    if (slot !== undefined) weights[slot] += Number(field(cluster, "weight") ?? 0);
  }
  return weights;
}

function routesOf(configDump: unknown): readonly unknown[] {
  return children(field(configDump, "configs"))
    .flatMap((config) => children(field(field(config, "route_config"), "virtual_hosts")))
    .flatMap((host) => children(field(host, "routes")));
}

/** The HTTPRoute, and the rule of it, that Envoy Gateway made a route from. */
function resourceOf(route: unknown): { name: string; namespace: string; sectionName?: string } | undefined {
  const resources = field(field(field(field(route, "metadata"), "filter_metadata"), "envoy-gateway"), "resources");
  return children(resources).find((each) => field(each, "kind") === "HTTPRoute") as
    { name: string; namespace: string; sectionName?: string } | undefined;
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function children(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
