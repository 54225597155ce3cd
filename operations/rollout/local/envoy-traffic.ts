import { activeRequests, type EnvoyClusters } from "../../../contract/envoy/clusters.ts";
import { once } from "node:events";
import { get, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../contract/slots.ts";
import {
  INSTANCE_HEADER,
  OBSERVE_PATHS,
  parseClusterName,
  ROUTES_FILE,
  type ClusterKind,
} from "../../../contract/envoy/names.ts";
import {
  rejection,
  sameTable,
  tableInForce,
  type RouteTable,
  type RouteTimeouts,
} from "../../../contract/envoy/routes.ts";
import { routesText } from "../../../contract/envoy/seed.ts";
import { isRefusal, UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { FencedDirectory } from "./fenced-directory.ts";
import type { Lease } from "../ports/lease.ts";
import type { Readiness } from "../model/machine.ts";
import { openConnections, type OpenConnections, type TrafficDriver, type TrafficWriter } from "../ports/traffic.ts";
import { unwritable } from "../host/durable-files.ts";

export interface EnvoyTrafficOptions {
  /** The router's read-only address, e.g. `http://127.0.0.1:9901`. */
  readonly observeUrl: string;
  /** Instance that the router must belong to: the answer of another router is refused (exit code 3). @default any */
  readonly instance?: string;
  /** Host directory that is mounted into the router's container. */
  readonly routesDirectory: string;
  readonly timeouts?: RouteTimeouts;
  /** Deadline for a table to be in force. @default 10 */
  readonly readBackSeconds?: number;
}

/** Envoy on Docker. The table is a file, replaced by rename; Envoy's config dump shows when it is in force. */
export class EnvoyTraffic implements TrafficDriver {
  readonly #options: EnvoyTrafficOptions;

  constructor(options: EnvoyTrafficOptions) {
    this.#options = options;
  }

  async inForce(): Promise<RouteTable | undefined> {
    return tableInForce(await this.#dump());
  }

  async readiness(): Promise<Readiness> {
    const hosts = new Map<Slot, boolean>();
    for (const cluster of (await this.#clusters()).cluster_statuses ?? []) {
      const parsed = parseClusterName(cluster.name);
      if (parsed?.kind !== "plain") continue;
      const statuses = cluster.host_statuses ?? [];
      const healthy = statuses.some((host) => {
        const health = host.health_status ?? {};
        return health.failed_active_health_check !== true && health.pending_active_hc !== true;
      });
      hosts.set(parsed.slot, healthy);
    }
    return { blue: hosts.get("blue") ?? false, green: hosts.get("green") ?? false };
  }

  async open(): Promise<Readonly<Record<Slot, OpenConnections>>> {
    const active: Record<Slot, Partial<Record<ClusterKind, number>>> = { blue: {}, green: {} };
    for (const cluster of (await this.#clusters()).cluster_statuses ?? []) {
      const parsed = parseClusterName(cluster.name);
      if (parsed !== undefined) active[parsed.slot][parsed.kind] = activeRequests(cluster);
    }
    return { blue: openConnections(active.blue), green: openConnections(active.green) };
  }

  async writer(lease: Lease): Promise<TrafficWriter> {
    const directory = await FencedDirectory.open(this.#options.routesDirectory, lease.token);
    return { apply: (table, signal) => this.#apply(directory, table, signal) };
  }

  async #apply(directory: FencedDirectory, table: RouteTable, signal: AbortSignal): Promise<number> {
    const started = performance.now();
    // The journal already has the table, so the users need not wait for a slow flush.
    try {
      await directory.replace(ROUTES_FILE, routesText(table, this.#options.timeouts), "first");
    } catch (error) {
      const path = join(this.#options.routesDirectory, ROUTES_FILE);
      throw unwritable(
        error,
        path,
        (code) => `generation ${String(table.generation)} cannot be written (${code}); the router keeps its table`,
      );
    }
    const deadline = started + (this.#options.readBackSeconds ?? 10) * 1000;
    let last = "no answer";
    for (;;) {
      try {
        const dump = await this.#dump(signal);
        const present = tableInForce(dump);
        if (present !== undefined && sameTable(present, table)) return performance.now() - started;
        last = rejection(dump) ?? `generation ${String(present?.generation)} is in force`;
      } catch (error) {
        if (isRefusal(error)) throw error;
        last = error instanceof Error ? error.message : String(error);
      }
      if (performance.now() > deadline) {
        throw new UserError(
          "timeout",
          this.#options.observeUrl,
          `the router has not taken generation ${String(table.generation)}: ${last}`,
          fix`${command("status")}, ${command("logs router")}; then: ${command("rollout resume")} (or ${command("rollout abort")})`,
        );
      }
      await sleep(5, undefined, { signal });
    }
  }

  async #dump(signal?: AbortSignal): Promise<unknown> {
    return this.#get(`${OBSERVE_PATHS.configDump}?resource=dynamic_route_configs`, signal);
  }

  async #clusters(): Promise<EnvoyClusters> {
    return (await this.#get(`${OBSERVE_PATHS.clusters}?format=json`)) as EnvoyClusters;
  }

  async #get(path: string, signal?: AbortSignal): Promise<unknown> {
    const { observeUrl, instance } = this.#options;
    const late = AbortSignal.timeout(5000);
    let answer: JsonAnswer;
    try {
      answer = await getJson(new URL(path, observeUrl), signal === undefined ? late : AbortSignal.any([late, signal]));
    } catch (error) {
      const detail = error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : "";
      throw new UserError(
        "unavailable",
        observeUrl,
        `the router does not answer (${detail})`,
        fix`${command("up")}, then ${command("status")}`,
      );
    }
    const name = answer.headers[INSTANCE_HEADER];
    if (instance === undefined || name === instance) return answer.body;
    throw new UserError(
      "state-conflict",
      observeUrl,
      `the router of ${String(name ?? "another program")} answers there, not the router of ${instance}`,
      fix`stop that instance (${command("down")}), or use another port: ${command("up --set observePort=PORT")}`,
    );
  }
}

/** An answer with status 200. */
interface JsonAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** Not `fetch`, which loads more modules than the rest of a rollback. @throws Error on another status, or on abort */
async function getJson(url: URL, signal: AbortSignal): Promise<JsonAnswer> {
  const request = get(url, { signal });
  request.on("error", () => undefined); // also fails the promise below, or the read of the body
  const [response] = (await once(request, "response")) as [IncomingMessage];
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`HTTP ${String(response.statusCode)}`);
  }
  return { headers: response.headers, body: await json(response) };
}
