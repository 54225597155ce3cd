import { SLOTS, isSlot, type Slot, type Weights } from "../slots.ts";
import { HEADERS, SERVER_PATHS } from "../server.ts";
import { typed, type Json } from "./json.ts";
import { accessRoutes } from "./access-routes.ts";
import { evictionStat, type Eviction } from "./metrics.ts";
import { clusterName, parseClusterName, ROUTE_CONFIGURATION } from "./names.ts";
import {
  exact,
  filterConfig,
  LISTENER_HEADER,
  responseHeaders,
  routeAction,
  SESSION_SCRIPTS,
  type RequestClass,
} from "./route-parts.ts";

/** The distribution of new requests. The rollout controller owns it; components declare only the first one. */
export interface RouteTable {
  /** Increases by one with every written table, so that the read-back proves that exactly this table is in force. */
  readonly generation: number;
  /** Fencing token of the lease under which the table was written; 0 for the first one. */
  readonly token: number;
  readonly weights: Weights;
  /** Slots whose MCP sessions are answered with 404, so that their clients initialise again elsewhere. */
  readonly evicted: readonly Slot[];
  /** Those of them whose slot was emptied intentionally: their routes have a statistic (`evictionStat`) that says so. */
  readonly emptied: readonly Slot[];
}

/** Time-outs of the routes. */
export interface RouteTimeouts {
  /** Seconds for a whole plain request, with the time that it waits for a busy server; Envoy Gateway's routes have no limit. */
  readonly requestSeconds: number;
  /** Seconds for a whole MCP call; its tools call slow models. */
  readonly mcpSeconds: number;
}

export const DEFAULT_ROUTE_TIMEOUTS: RouteTimeouts = { requestSeconds: 300, mcpSeconds: 600 };

/** The table of a stack that has never seen a rollout: all on blue, and green has no session of a user. */
export const FIRST_TABLE: RouteTable = {
  generation: 1,
  token: 0,
  weights: { blue: 100, green: 0 },
  evicted: ["green"],
  emptied: [],
};

/**
 * The RDS file of a table: one route configuration that both listeners share.
 *
 * Order: the slot of a verified token, then the slot in front of an MCP session identifier, then the weights. An RDS change
 * takes effect for new requests; upgraded connections and open streams keep their slot.
 *
 * @throws RangeError if the weights are not whole percentages with the sum 100.
 */
export function routesFile(table: RouteTable, timeouts: RouteTimeouts = DEFAULT_ROUTE_TIMEOUTS): Json {
  return {
    version_info: String(table.generation),
    resources: [typed("envoy.config.route.v3.RouteConfiguration", routeConfiguration(table, timeouts))],
  };
}

function routeConfiguration(table: RouteTable, timeouts: RouteTimeouts): Record<string, Json> {
  checkWeights(table.weights);
  const onWebSocketPort = [exact(LISTENER_HEADER, "websocket")];
  const mcp = { path_separated_prefix: SERVER_PATHS.mcp };
  const everything = { prefix: "/" };
  return {
    name: ROUTE_CONFIGURATION,
    virtual_hosts: [
      {
        name: hostName(table),
        domains: ["*"],
        request_headers_to_remove: [LISTENER_HEADER, HEADERS.access, HEADERS.pinned],
        routes: [
          ...accessRoutes(onWebSocketPort),
          ...routes(table, { match: everything, headers: onWebSocketPort, kind: "websocket", seconds: 0 }),
          ...routes(table, {
            match: { path: SERVER_PATHS.dashboardWebSocket },
            headers: [],
            kind: "stream",
            seconds: 0,
          }),
          ...routes(table, {
            match: { path: SERVER_PATHS.uploads },
            headers: [exact(":method", "PATCH")],
            kind: "stream",
            seconds: 0,
          }),
          ...routes(table, { match: mcp, headers: [exact(":method", "GET")], kind: "stream", seconds: 0, mcp: true }),
          ...routes(table, { match: mcp, headers: [], kind: "plain", seconds: timeouts.mcpSeconds, mcp: true }),
          ...routes(table, { match: everything, headers: [], kind: "plain", seconds: timeouts.requestSeconds }),
        ],
      },
    ],
  };
}

function routes(table: RouteTable, requests: RequestClass): Json[] {
  const mcp = requests.mcp === true;
  const match = (...more: Json[]): Json => ({ ...requests.match, headers: [...requests.headers, ...more] });
  const session = mcp ? filterConfig(SESSION_SCRIPTS.untag) : {};
  const action = routeAction(requests);
  return [
    ...(mcp
      ? SLOTS.map((slot) => ({
          match: match({ name: HEADERS.mcpSessionId, string_match: { prefix: `${slot}.` } }),
          ...(table.evicted.includes(slot)
            ? goneSession(slot, evictionOf(table, slot))
            : {
                route: { cluster: clusterName(slot, requests.kind === "plain" ? "session" : requests.kind), ...action },
                response_headers_to_add: responseHeaders(slot, mcp),
                ...session,
              }),
        }))
      : []),
    {
      match: match(),
      route: {
        weighted_clusters: {
          clusters: SLOTS.map((slot) => ({
            name: clusterName(slot, requests.kind),
            weight: table.weights[slot],
            response_headers_to_add: responseHeaders(slot, mcp),
          })),
        },
        ...action,
      },
      ...session,
    },
  ];
}

/** The state of an evicted slot in a table. */
export function evictionOf({ emptied }: Pick<RouteTable, "emptied">, slot: Slot): Eviction {
  return emptied.includes(slot) ? "emptied" : "evicted";
}

/** MCP (Streamable HTTP, session management): a client that gets 404 for its session must initialise a new one. */
function goneSession(slot: Slot, eviction: Eviction): Record<string, Json> {
  const message = `Session not found: ${slot} was rolled back; initialize a new session`;
  return {
    // Envoy creates a route's statistics when it accepts the table, without a request. It deletes them with the table, which a
    // request that began under it keeps until its response begins.
    stat_prefix: evictionStat(eviction, slot),
    direct_response: {
      status: 404,
      body: { inline_string: JSON.stringify({ jsonrpc: "2.0", error: { code: -32001, message }, id: null }) },
    },
    response_headers_to_add: [
      { header: { key: "content-type", value: "application/json" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      { header: { key: HEADERS.servedBy, value: "router" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ],
  };
}

/** @throws RangeError if the weights are not whole percentages with the sum 100. */
export function checkWeights(weights: Weights): void {
  const values = SLOTS.map((slot) => weights[slot]);
  if (values.some((value) => !Number.isInteger(value) || value < 0) || values.reduce((a, b) => a + b, 0) !== 100) {
    throw new RangeError(`weights must be whole percentages that sum to 100, not ${JSON.stringify(weights)}`);
  }
}

function hostName(table: RouteTable): string {
  return `exai-generation-${String(table.generation)}-token-${String(table.token)}`;
}

/**
 * The table that Envoy has in force, from the body of `/config_dump?resource=dynamic_route_configs`. What counts is
 * read from the routes themselves: the weights of every weighted route must agree.
 *
 * @returns undefined if Envoy has no route configuration yet.
 * @throws Error if the routes contradict each other: an inconsistent table is never used.
 */
export function tableInForce(configDump: unknown): RouteTable | undefined {
  const configs = children(field(configDump, "configs"));
  const entry = configs.find((each) => field(field(each, "route_config"), "name") === ROUTE_CONFIGURATION);
  if (entry === undefined) return undefined;
  const [host, ...others] = children(field(field(entry, "route_config"), "virtual_hosts"));
  const name = /^exai-generation-(\d+)-token-(\d+)$/.exec(String(field(host, "name")));
  if (name === null || others.length > 0) throw new Error("the router's routes were not written by this project");
  const weights: Weights[] = [];
  const evicted = new Set<Slot>();
  const emptied = new Set<Slot>();
  for (const route of children(field(host, "routes"))) {
    const clusters = children(field(field(field(route, "route"), "weighted_clusters"), "clusters"));
    if (clusters.length > 0) weights.push(weightsOf(clusters));
    if (field(route, "direct_response") !== undefined) {
      for (const slot of sessionSlots(route)) {
        evicted.add(slot);
        if (field(route, "stat_prefix") === evictionStat("emptied", slot)) emptied.add(slot);
      }
    }
  }
  const [first] = weights;
  if (first === undefined || weights.some((each) => SLOTS.some((slot) => each[slot] !== first[slot]))) {
    throw new Error(`the router's routes contradict each other: ${JSON.stringify(weights)}`);
  }
  return {
    generation: Number(name[1]),
    token: Number(name[2]),
    weights: first,
    evicted: SLOTS.filter((slot) => evicted.has(slot)),
    emptied: SLOTS.filter((slot) => emptied.has(slot)),
  };
}

/** The last update that Envoy rejected, from the same dump; undefined if it accepted the newest file. */
export function rejection(configDump: unknown): string | undefined {
  for (const config of children(field(configDump, "configs"))) {
    const details = field(field(config, "error_state"), "details");
    if (typeof details === "string") return details;
  }
  return undefined;
}

/** Whether two tables are the same one: generation, token, weights, evictions, and which slots they call empty. */
export function sameTable(a: RouteTable, b: RouteTable): boolean {
  return (
    a.generation === b.generation &&
    a.token === b.token &&
    SLOTS.every(
      (slot) =>
        a.weights[slot] === b.weights[slot] &&
        a.evicted.includes(slot) === b.evicted.includes(slot) &&
        a.emptied.includes(slot) === b.emptied.includes(slot),
    )
  );
}

function weightsOf(clusters: readonly unknown[]): Weights {
  const weights = { blue: 0, green: 0 };
  for (const cluster of clusters) {
    const slot = parseClusterName(String(field(cluster, "name")))?.slot;
    // A weight of 0 may be left out of the dump: it is the default of its field.
    if (slot !== undefined) weights[slot] = Number(field(cluster, "weight") ?? 0);
  }
  return weights;
}

function sessionSlots(route: unknown): Slot[] {
  return children(field(field(route, "match"), "headers")).flatMap((header) => {
    const prefix = field(field(header, "string_match"), "prefix");
    const slot = typeof prefix === "string" ? prefix.replace(/\.$/, "") : "";
    return field(header, "name") === HEADERS.mcpSessionId && isSlot(slot) ? [slot] : [];
  });
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function children(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
