import { setTimeout as sleep } from "node:timers/promises";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { CLUSTER_KINDS, JUDGED_KINDS, slotHost, type ClusterKind } from "../../../contract/envoy/names.ts";
import { sameTable, type RouteTable } from "../../../contract/envoy/routes.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import {
  GATEWAY_API,
  gatewayTable,
  LISTENERS,
  ROUTING_NAMES,
  sharedRules,
  type Listener,
} from "../../../contract/gateway.ts";
import { ConflictError, type Cluster } from "./cluster.ts";
import type { ApiObject, Deployment, Found } from "./api-types.ts";
import { slotClusters } from "./gateway-clusters.ts";
import type { GatewayProxies, Proxy } from "./gateway-proxies.ts";
import { FencedError, type Lease } from "../ports/lease.ts";
import type { Readiness } from "../model/machine.ts";
import { openConnections, type OpenConnections, type TrafficDriver, type TrafficWriter } from "../ports/traffic.ts";

export interface GatewayTrafficOptions {
  readonly cluster: Cluster;
  readonly proxies: Pick<GatewayProxies, "all">;
  /** EXAI_WS_PORT. */
  readonly wsPort: number;
  /** Deadline for a table to be in force on every proxy. @default 30 */
  readonly readBackSeconds?: number;
}

/** Field manager of the shared routes' rules. */
const RULES_MANAGER = "exai-rollout";

/** Field manager of {@link TOKEN}. A separate one, so that writing the token does not give up the rules. */
const FENCE_MANAGER = "exai-rollout-fence";

/** Annotation with the fencing token of the last holder. */
const TOKEN = "exai.rollout-token";

/** The part of an HTTPRoute that is read here. */
interface HttpRoute extends ApiObject {
  readonly status?: {
    readonly parents?: readonly {
      readonly parentRef: { readonly name: string };
      readonly conditions?: readonly {
        readonly type: string;
        readonly status: string;
        readonly message: string;
        readonly observedGeneration?: number;
      }[];
    }[];
  };
}

/**
 * Routing by Envoy Gateway. The table is the rules of two HTTPRoutes, written by server-side apply with a separate field
 * manager. It is in force when the gateway has accepted the routes and every proxy shows them in its configuration.
 */
export class GatewayTraffic implements TrafficDriver {
  readonly #cluster: Cluster;
  readonly #proxies: GatewayTrafficOptions["proxies"];
  readonly #wsPort: number;
  readonly #readBackSeconds: number;

  constructor(options: GatewayTrafficOptions) {
    this.#cluster = options.cluster;
    this.#proxies = options.proxies;
    this.#wsPort = options.wsPort;
    this.#readBackSeconds = options.readBackSeconds ?? 30;
  }

  async inForce(): Promise<RouteTable | undefined> {
    const tables = await this.#tables();
    const [first] = tables;
    if (first === undefined) return undefined;
    for (const other of tables)
      if (other === undefined || !sameTable(first, other))
        throw new Error(`the gateway's proxies have different tables: ${JSON.stringify(tables)}`);
    return first;
  }

  async readiness(): Promise<Readiness> {
    const [clusters, deployments] = await Promise.all([
      // A proxy that starts has no slots yet, which must not look like a slot that is down.
      this.#ask((proxy) => slotClusters(proxy, this.#cluster.namespace, this.#wsPort), { servingOnly: true }),
      Promise.all(SLOTS.map((slot) => this.#deployment(slot))),
    ]);
    const ready = (slot: Slot): boolean =>
      (deployments[SLOTS.indexOf(slot)]?.status?.readyReplicas ?? 0) > 0 &&
      clusters.every((each) =>
        JUDGED_KINDS.every((kind) => each.some((one) => one.slot === slot && one.kind === kind && one.healthy > 0)),
      );
    return { blue: ready("blue"), green: ready("green") };
  }

  async open(): Promise<Readonly<Record<Slot, OpenConnections>>> {
    const clusters = (await this.#ask((proxy) => slotClusters(proxy, this.#cluster.namespace, this.#wsPort))).flat();
    const active = (slot: Slot, kind: ClusterKind): number =>
      clusters
        .filter((one) => one.slot === slot && one.kind === kind)
        .reduce((sum, one) => sum + one.activeRequests, 0);
    const of = (slot: Slot): OpenConnections =>
      openConnections(Object.fromEntries(CLUSTER_KINDS.map((kind) => [kind, active(slot, kind)])));
    return { blue: of("blue"), green: of("green") };
  }

  /** The highest token that has written the routes; 0 if there are no routes. */
  async token(): Promise<number> {
    const names = LISTENERS.map((listener) => ROUTING_NAMES.shared[listener]);
    const routes = await Promise.all(names.map((name) => this.#found(name)));
    return Math.max(...routes.map((route) => (route === undefined ? 0 : tokenOf(route))));
  }

  async writer(lease: Lease): Promise<TrafficWriter> {
    await Promise.all(LISTENERS.map((listener) => this.#stamp(listener, lease.token)));
    return { apply: (table, signal) => this.#apply(lease.token, table, signal) };
  }

  async #apply(token: number, table: RouteTable, signal: AbortSignal): Promise<number> {
    const started = performance.now();
    const written = await Promise.all(LISTENERS.map((listener) => this.#write(listener, token, table)));
    const deadline = started + this.#readBackSeconds * 1000;
    for (;;) {
      signal.throwIfAborted();
      const last = (await this.#missing(table)) ?? (await this.#unaccepted(written));
      if (last === undefined) return performance.now() - started;
      if (performance.now() > deadline) {
        throw new UserError(
          "timeout",
          `gateway ${this.#cluster.namespace}/${ROUTING_NAMES.gateway}`,
          `has not taken generation ${String(table.generation)} within ${String(this.#readBackSeconds)} s: ${last}`,
          fix`kubectl --context ${this.#cluster.context} --namespace ${this.#cluster.namespace} describe httproute ${ROUTING_NAMES.shared.http}; then: ${command("rollout resume")} (or ${command("rollout abort")})`,
        );
      }
      await sleep(50, undefined, { signal });
    }
  }

  /** Why a table is not in force on every proxy; undefined if it is. */
  async #missing(table: RouteTable): Promise<string | undefined> {
    try {
      const tables = await this.#tables();
      const other = tables.find((each) => each === undefined || !sameTable(each, table));
      if (tables.every((each) => each !== undefined && sameTable(each, table))) return undefined;
      return `a proxy has generation ${String(other?.generation)}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Why the gateway has not accepted the routes; undefined if it has. */
  async #unaccepted(written: readonly Found<HttpRoute>[]): Promise<string | undefined> {
    for (const route of await Promise.all(written.map(({ metadata }) => this.#route(metadata.name)))) {
      const { name, generation } = route.metadata;
      const parent = route.status?.parents?.find(({ parentRef }) => parentRef.name === ROUTING_NAMES.gateway);
      for (const type of ["Accepted", "ResolvedRefs"]) {
        const condition = parent?.conditions?.find((each) => each.type === type);
        if (condition === undefined || condition.observedGeneration !== generation)
          return `the status of HTTPRoute ${name} belongs to an older generation`;
        if (condition.status !== "True") return `HTTPRoute ${name} is not ${type}: ${condition.message}`;
      }
    }
    return undefined;
  }

  /** Shuts older tokens out: their next write gets a conflict and then finds the newer token. */
  async #stamp(listener: Listener, token: number): Promise<void> {
    for (;;) {
      const route = await this.#route(ROUTING_NAMES.shared[listener]);
      refuse(route, token);
      try {
        await this.#cluster.apply(this.#object(route, { annotations: { [TOKEN]: String(token) } }), FENCE_MANAGER);
        return;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  async #write(listener: Listener, token: number, table: RouteTable): Promise<Found<HttpRoute>> {
    const rules = sharedRules({ listener, table, wsPort: this.#wsPort });
    for (;;) {
      const route = await this.#route(ROUTING_NAMES.shared[listener]);
      refuse(route, token);
      try {
        return await this.#cluster.apply({ ...this.#object(route), spec: { rules } } as HttpRoute, RULES_MANAGER);
      } catch (error) {
        // The gateway's write of the status also changes the version.
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  /** This version of a route, for server-side apply. */
  #object(route: Found<HttpRoute>, more: { annotations?: Record<string, string> } = {}): HttpRoute {
    const { name, resourceVersion } = route.metadata;
    return {
      apiVersion: GATEWAY_API,
      kind: "HTTPRoute",
      metadata: { name, namespace: this.#cluster.namespace, resourceVersion, ...more },
    };
  }

  async #route(name: string): Promise<Found<HttpRoute>> {
    const route = await this.#found(name);
    if (route !== undefined) return route;
    throw new UserError(
      "not-found",
      `HTTPRoute ${this.#cluster.namespace}/${name}`,
      "does not exist",
      fix`${command("up staging")} (or ${command("up prod")}) creates the routes`,
    );
  }

  async #found(name: string): Promise<Found<HttpRoute> | undefined> {
    return this.#cluster.read<HttpRoute>({ apiVersion: GATEWAY_API, kind: "HTTPRoute", name });
  }

  async #deployment(slot: Slot): Promise<Found<Deployment> | undefined> {
    return this.#cluster.read<Deployment>({ apiVersion: "apps/v1", kind: "Deployment", name: slotHost(slot) });
  }

  /** Asks every proxy, or every proxy that gets new connections. Only the others may fail to answer. */
  async #ask<Answer>(
    question: (proxy: Proxy) => Promise<Answer>,
    { servingOnly = false } = {},
  ): Promise<readonly Answer[]> {
    const proxies = await this.#proxies.all();
    const answers = await Promise.all(
      proxies
        .filter(({ serving }) => serving || !servingOnly)
        .map(async (proxy): Promise<readonly Answer[]> => {
          try {
            return [await question(proxy)];
          } catch (error) {
            if (proxy.serving) throw error;
            return [];
          }
        }),
    );
    return answers.flat();
  }

  /** The tables of the proxies, without those that start: they have none yet, and get no users before they have one. */
  async #tables(): Promise<readonly (RouteTable | undefined)[]> {
    const answers = await this.#ask(async (proxy) => {
      const dump = await proxy.get("/config_dump?resource=dynamic_route_configs");
      const table = gatewayTable(dump, this.#cluster.namespace);
      if (table === undefined && !proxy.serving) return [];
      return [table];
    });
    return answers.flat();
  }
}

function tokenOf(route: Found<HttpRoute>): number {
  return Number(route.metadata.annotations?.[TOKEN] ?? 0);
}

function refuse(route: Found<HttpRoute>, token: number): void {
  const newest = tokenOf(route);
  if (newest > token)
    throw new FencedError(
      `HTTPRoute ${route.metadata.name}: token ${String(token)} has been superseded by ${String(newest)}`,
    );
}
