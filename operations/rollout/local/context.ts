import { join } from "node:path";
import type { RouteTimeouts } from "../../../contract/envoy/routes.ts";
import { DEFAULT_GATES } from "../gates/settings.ts";
import { currentUser } from "../host/process-identity.ts";
import { DEFAULT_DEADLINES, type RolloutContext, type RolloutOptions } from "../ports/context.ts";
import { EnvoyTraffic } from "./envoy-traffic.ts";
import { FileControlStore } from "./file-control.ts";
import { FileJournalStore } from "./file-journal.ts";
import { DEFAULT_LEASE_SECONDS, FileLeaseStore } from "./file-lease.ts";

/** A stack on Docker, for {@link localRollout}. */
export interface DockerRollout extends RolloutOptions {
  /** The instance's directory; the rollout keeps its state in its subdirectory `rollout/`. */
  readonly home: string;
  /** Host directory that is mounted into the router's container. */
  readonly routesDirectory: string;
  readonly routerUrl: string;
  readonly webSocketUrl: string;
  readonly observeUrl: string;
  /** Instance that the router must belong to. @default any */
  readonly instance?: string;
  readonly prometheusUrl: string;
  readonly routeTimeouts?: RouteTimeouts;
}

/** The context of a stack on Docker: routes, journal, lease and requests are files. */
export function localRollout(options: DockerRollout): RolloutContext {
  const { webSocketToken, schema, prefetch, announcer, hooks } = options;
  return {
    traffic: new EnvoyTraffic({
      observeUrl: options.observeUrl,
      routesDirectory: options.routesDirectory,
      ...(options.instance === undefined ? {} : { instance: options.instance }),
      ...(options.routeTimeouts === undefined ? {} : { timeouts: options.routeTimeouts }),
    }),
    journal: new FileJournalStore(rolloutDirectory(options.home)),
    leases: new FileLeaseStore(
      join(rolloutDirectory(options.home), "leases"),
      options.leaseSeconds ?? DEFAULT_LEASE_SECONDS,
    ),
    control: new FileControlStore(join(rolloutDirectory(options.home), "control")),
    deployer: options.deployer,
    access: options.access,
    routerUrl: options.routerUrl,
    webSocketUrl: options.webSocketUrl,
    prometheusUrl: options.prometheusUrl,
    gates: { ...DEFAULT_GATES, ...options.gates },
    deadlines: { ...DEFAULT_DEADLINES, ...options.deadlines },
    defaults: options.defaults ?? {},
    ...(webSocketToken === undefined ? {} : { webSocketToken }),
    ...(schema === undefined ? {} : { schema }),
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(announcer === undefined ? {} : { announcer }),
    ...(hooks === undefined ? {} : { hooks }),
    signal: options.signal ?? new AbortController().signal,
    who: currentUser(),
  };
}

/** Directory of a local stack's journal, history, leases and requests. */
export function rolloutDirectory(home: string): string {
  return join(home, "rollout");
}
