import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { envoyBootstrap } from "./bootstrap.ts";
import { BOOTSTRAP_PATH, OBSERVE_PATHS, OBSERVE_PORT, ROUTES_DIRECTORY } from "../../contract/envoy/names.ts";
import { ensureRoutes } from "../../contract/envoy/seed.ts";
import { HTTP_PORT } from "../../contract/server.ts";
import { ExaiComponent } from "../core/component.ts";
import type { ContainerSpec, DockerPlatform } from "../core/container-spec.ts";
import { hardenedContainer } from "../core/container.ts";
import type { Transform } from "../core/transform.ts";

export interface EnvoyRouterArgs {
  readonly platform: DockerPlatform;
  /** @default "envoyproxy/envoy:v1.40.0" */
  readonly image?: pulumi.Input<string>;
  /** EXAI_WS_PORT: the WebSocket port on the servers and inside the router. */
  readonly webSocketPort: number;
  /** Public keys that verify tokens for access to a slot: a JWK set as JSON. */
  readonly accessKeys: pulumi.Input<string>;
  /**
   * Directory of the host, absolute, that holds the route table's file. The rollout controller owns the file; the first
   * one is written before the container is made, since Envoy does not start without it.
   */
  readonly routesDirectory: string;
  /** Ports on the host. */
  readonly ports: {
    /** HTTP, MCP and the dashboard. */
    readonly http: number;
    readonly webSocket: number;
    /** Read-back and metrics. */
    readonly observe: number;
  };
  /** Hosts that slots may reach, as `host:port`. @default none, and no listener for them */
  readonly egress?: readonly string[];
  /** Host address of the users' ports. The read-back's port is on loopback always. @default "127.0.0.1" */
  readonly address?: string;
  /** Writes a JSON line per request to the container's log. @default false */
  readonly accessLog?: boolean;
  /** Whole cores, which is also the number of Envoy's worker threads. @default 1 */
  readonly cpus?: number;
  /** MiB. @default {@link DEFAULT_ROUTER_MEMORY} */
  readonly memoryMegabytes?: number;
  readonly transform?: { readonly container?: Transform<docker.ContainerArgs> };
}

/** Name of the router on the instance's network. */
export const ROUTER = "router";

/** MiB: a thousand users with a WebSocket and a request each need about 100 beyond the 66 of an idle router. */
export const DEFAULT_ROUTER_MEMORY = 512;

/** What {@link DockerRouting} runs when the settings name no image. */
export const DEFAULT_ENVOY_IMAGE = "envoyproxy/envoy:v1.40.0";

/** The router on Docker: Envoy with both slots as static clusters, and routes from a file. */
export class DockerRouting extends ExaiComponent {
  readonly container: docker.Container;
  /** Where users reach HTTP and MCP. */
  readonly url: pulumi.Output<string>;
  /** Where users reach the WebSocket port. */
  readonly webSocketUrl: pulumi.Output<string>;
  /** Read-back and metrics, from the host. */
  readonly observeUrl: pulumi.Output<string>;

  constructor(name: string, args: EnvoyRouterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:routing:DockerRouting", name, { webSocketPort: args.webSocketPort }, opts);
    const address = args.address ?? "127.0.0.1";
    this.container = hardenedContainer(
      `${name}-container`,
      envoyContainer({ ...args, routesDirectory: seeded(args.routesDirectory) }),
      args.platform,
      { parent: this },
      args.transform?.container,
    );
    // A URL with the address 0.0.0.0 does not work on some systems.
    const reachable = address === "0.0.0.0" ? "127.0.0.1" : address;
    this.url = pulumi.output(`http://${reachable}:${String(args.ports.http)}`);
    this.webSocketUrl = pulumi.output(`ws://${reachable}:${String(args.ports.webSocket)}`);
    this.observeUrl = pulumi.output(`http://127.0.0.1:${String(args.ports.observe)}`);
    this.registerOutputs({ url: this.url, webSocketUrl: this.webSocketUrl, observeUrl: this.observeUrl });
  }
}

/** The directory, once the first table is in it. A preview writes nothing. */
function seeded(directory: string): pulumi.Input<string> {
  return pulumi.runtime.isDryRun() ? directory : pulumi.output(ensureRoutes(directory).then(() => directory));
}

/** The router's container; pure. */
export function envoyContainer(
  args: Omit<EnvoyRouterArgs, "routesDirectory"> & { readonly routesDirectory: pulumi.Input<string> },
): ContainerSpec {
  const cpus = args.cpus ?? 1;
  const memoryMegabytes = args.memoryMegabytes ?? DEFAULT_ROUTER_MEMORY;
  const address = args.address ?? "127.0.0.1";
  const bootstrap = (accessKeys: string): string => {
    const { accessLog, egress, platform, webSocketPort } = args;
    const optional = { ...(accessLog === undefined ? {} : { accessLog }), ...(egress === undefined ? {} : { egress }) };
    const options = { accessKeys, webSocketPort, memoryMegabytes, instance: platform.instance, ...optional };
    return `${JSON.stringify(envoyBootstrap(options), undefined, 2)}\n`;
  };
  const { accessKeys } = args;
  const content = typeof accessKeys === "string" ? bootstrap(accessKeys) : pulumi.output(accessKeys).apply(bootstrap);
  return {
    component: ROUTER,
    image: args.image ?? DEFAULT_ENVOY_IMAGE,
    user: "101:101", // `envoy` in the image
    entrypoint: ["envoy"],
    // Hot restart shares memory between two processes of one host; a new router is a new container here.
    command: [
      ...["--config-path", BOOTSTRAP_PATH, "--concurrency", String(Math.max(1, Math.ceil(cpus)))],
      ...["--disable-hot-restart", "--log-level", "warning", "--drain-time-s", "5"],
    ],
    files: [{ path: BOOTSTRAP_PATH, content }],
    binds: [{ hostPath: args.routesDirectory, path: ROUTES_DIRECTORY, readOnly: true }],
    ports: [
      { internal: HTTP_PORT, external: args.ports.http, address },
      { internal: args.webSocketPort, external: args.ports.webSocket, address },
      { internal: OBSERVE_PORT, external: args.ports.observe },
    ],
    memoryMegabytes,
    cpus,
    pids: 64,
    healthCheck: {
      test: ["CMD", "bash", "-c", readyCheck()],
      startPeriodSeconds: 20,
    },
  };
}

/** The image has no HTTP client, but its bash opens sockets. */
function readyCheck(): string {
  const request = `GET ${OBSERVE_PATHS.ready} HTTP/1.1\\r\\nHost: router\\r\\nConnection: close\\r\\n\\r\\n`;
  return `exec 3<>/dev/tcp/127.0.0.1/${String(OBSERVE_PORT)} && printf '${request}' >&3 && read -r -t 2 answer <&3 && [[ $answer == *' 200 '* ]]`;
}
