import { COLOURS, type Colour, type Weights } from "./colours.ts";
import { checkWeights, type RouteTable } from "./envoy/routes.ts";
import { slotHost } from "./envoy/names.ts";
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
  /** HTTPRouteFilter that answers the sessions of an evicted colour. */
  goneSession: "session-gone",
} as const;

/** Group and version of the routes. */
export const GATEWAY_API = "gateway.networking.k8s.io/v1";

/** Group and version of Envoy Gateway's own objects. */
export const ENVOY_GATEWAY = "gateway.envoyproxy.io/v1alpha1";

/** The gateway's two ways in. Each has a shared route of its own. */
export const LISTENERS = ["http", "websocket"] as const;

/** `http`: requests and MCP. `websocket`: EXAI_WS_PORT. */
export type Listener = (typeof LISTENERS)[number];

/** A rule of an HTTPRoute, as far as it is written here. `Name` is a Service's name, or the program's output of it. */
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
  readonly services?: Readonly<Record<Colour, Name>>;
}

/** No time-out of the route: event streams and WebSockets last; the server has time-outs of its own. */
export const ROUTE_TIMEOUTS = { request: "0s" } as const;

/**
 * The rules of a shared route: both slots with their weights, and before them the evicted colours' sessions. Each rule's
 * name says which table it is; Envoy Gateway hands it on to Envoy, so that the read-back proves that exactly this table
 * is in force.
 */
export function sharedRules<Name = string>(shared: SharedRules<Name>): readonly RouteRule<Name>[] {
  const { listener, table } = shared;
  checkWeights(table.weights);
  const name = tableName(table);
  return [
    ...(listener === "http" ? COLOURS.filter((colour) => table.evicted.includes(colour)) : []).map((colour) => ({
      name: `${name}-evicted-${colour}`,
      // What carried the colour's tag has it as the testers' header when Envoy chooses the route for good.
      matches: [
        {
          path: { type: "PathPrefix", value: SERVER_PATHS.mcp },
          headers: [
            { type: "Exact", name: HEADERS.testerColour, value: colour },
            { type: "RegularExpression", name: HEADERS.mcpSessionId, value: ".+" },
          ],
        },
      ],
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
    {
      name,
      matches: [{ path: { type: "PathPrefix", value: "/" } }],
      backendRefs: COLOURS.map((colour) => backendRef(shared, colour, table.weights[colour])),
      timeouts: ROUTE_TIMEOUTS,
    },
  ];
}

/** A Service as a rule names it. */
export function backendRef<Name = string>(
  { listener, wsPort, services }: Pick<SharedRules<Name>, "listener" | "wsPort" | "services">,
  colour: Colour,
  weight: number,
): { readonly kind: "Service"; readonly name: Name; readonly port: number; readonly weight: number } {
  const name = services === undefined ? (slotHost(colour) as Name) : services[colour];
  return { kind: "Service", name, port: listener === "http" ? HTTP_PORT : wsPort, weight };
}

/** MCP (Streamable HTTP, session management): a client that gets 404 for its session must initialise a new one. */
export function goneSessionFilter(): Readonly<Record<string, unknown>> {
  const message = "Session not found: its colour was rolled back; initialize a new session";
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

/** What one proxy says of a shared route. */
interface SharedRoute {
  readonly generation: number;
  readonly token: number;
  readonly weights: Weights;
  readonly evicted: readonly Colour[];
}

/**
 * The table that an Envoy proxy of the gateway has in force, from the body of
 * `/config_dump?resource=dynamic_route_configs`. Both shared routes must have the same one.
 *
 * @returns undefined when the proxy has no routes of this namespace yet.
 * @throws Error when the two routes contradict each other, as they do for the moment between two writes.
 */
export function gatewayTable(configDump: unknown, namespace: string): RouteTable | undefined {
  const found = new Map<Listener, SharedRoute>();
  for (const route of routesOf(configDump)) {
    const resource = resourceOf(route);
    if (resource?.namespace !== namespace) continue;
    const listener = LISTENERS.find((each) => ROUTING_NAMES.shared[each] === resource.name);
    if (listener === undefined) continue;
    const name = /^generation-(\d+)-token-(\d+)(?:-evicted-(blue|green))?$/.exec(resource.sectionName ?? "");
    // A stack that has never seen a rollout may be older than the names of rules.
    const [generation, token] = name === null ? [1, 0] : [Number(name[1]), Number(name[2])];
    const before = found.get(listener);
    if (before !== undefined && (before.generation !== generation || before.token !== token))
      throw new Error(`the proxy has rules of two tables, ${before.generation} and ${generation}`);
    const colour = name?.[3] as Colour | undefined;
    const gone = field(route, "direct_response") !== undefined;
    found.set(listener, {
      generation,
      token,
      weights: colour === undefined ? weightsOf(field(route, "route")) : (before?.weights ?? { blue: 0, green: 0 }),
      evicted: [...(before?.evicted ?? []), ...(colour !== undefined && gone ? [colour] : [])],
    });
  }
  const [http, websocket] = [found.get("http"), found.get("websocket")];
  if (http === undefined || websocket === undefined) return undefined;
  const disagree =
    http.generation !== websocket.generation ||
    http.token !== websocket.token ||
    COLOURS.some((colour) => http.weights[colour] !== websocket.weights[colour]);
  if (disagree)
    throw new Error(`the proxy's routes contradict each other: ${JSON.stringify(http)}, ${JSON.stringify(websocket)}`);
  return { ...http, evicted: COLOURS.filter((colour) => http.evicted.includes(colour)) };
}

/** Colour and port of a merged cluster, `service/<namespace>/server-<colour>/<port>/…`; undefined for any other. */
export function parseServiceCluster(
  name: string,
  namespace: string,
): { readonly colour: Colour; readonly port: number } | undefined {
  const [kind, home, service, port] = name.split("/");
  const colour = COLOURS.find((each) => slotHost(each) === service);
  return kind === "service" && home === namespace && colour !== undefined ? { colour, port: Number(port) } : undefined;
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
    const colour = COLOURS.find((each) => slotHost(each) === service);
    // A weight of 0 may be left out of the dump: it is the default of its field.
    if (colour !== undefined) weights[colour] += Number(field(cluster, "weight") ?? 0);
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
