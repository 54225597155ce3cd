import { accessKeys } from "../../../contract/envoy/access.ts";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { typed, type Json } from "../../../contract/envoy/json.ts";
import { BOOTSTRAP_PATH, ROUTES_DIRECTORY, ROUTES_FILE } from "../../../contract/envoy/names.ts";
import { FIRST_TABLE, type RouteTable } from "../../../contract/envoy/routes.ts";
import { HEADERS, HTTP_PORT } from "../../../contract/server.ts";
import { DEFAULT_ENVOY_IMAGE, DEFAULT_ROUTER_MEMORY } from "../../../components/routing/docker.ts";
import type { EnvoyOptions } from "../../../components/routing/envoy/options.ts";
import { docker } from "../../../operations/docker/cli.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { answers, type Lab, type LabContainer, type LabRun } from "./lab.ts";

/** HAProxy, nginx and wrk. */
export const PEERS_IMAGE = "exai/bench-peers:bookworm";

const WEB_SOCKET_PORT = 8079;

/** Builds {@link PEERS_IMAGE}; needs Debian's mirror once. */
export async function buildPeers(): Promise<void> {
  await docker(["build", "--quiet", "--tag", PEERS_IMAGE, import.meta.dirname]);
}

/** A router of a lab: how it is named in reports, and how it is started before the server of blue. */
export interface LabRouter {
  readonly name: string;
  start(lab: Lab): Promise<LabContainer>;
}

/** The modules that render Envoy's configuration: of this checkout, or of another commit. */
interface Renderer {
  readonly envoyBootstrap: (options: EnvoyOptions) => Json;
  readonly routesFile: (table: RouteTable) => Json;
}

/** Our router as `./exai up` configures it; with `ref`, as that commit did. */
export function ourEnvoy(ref?: string): LabRouter {
  return {
    name: ref === undefined ? "Envoy, ours" : `Envoy, ours at ${ref}`,
    start: async (lab) => {
      const { envoyBootstrap, routesFile } = await renderer(ref);
      const options = {
        accessKeys: accessKeys("bench", 1),
        webSocketPort: WEB_SOCKET_PORT,
        instance: "bench",
        memoryMegabytes: DEFAULT_ROUTER_MEMORY,
      };
      return startEnvoy(lab, envoyBootstrap(options), routesFile(FIRST_TABLE));
    },
  };
}

/** Starts Envoy with any bootstrap, and any route table. */
export async function startEnvoy(lab: Lab, bootstrap: Json, routes?: Json): Promise<LabContainer> {
  const files = {
    [BOOTSTRAP_PATH]: JSON.stringify(bootstrap),
    ...(routes === undefined ? {} : { [`${ROUTES_DIRECTORY}/${ROUTES_FILE}`]: JSON.stringify(routes) }),
  };
  const options = [
    "--config-path",
    BOOTSTRAP_PATH,
    "--concurrency",
    "1",
    "--disable-hot-restart",
    "--log-level",
    "warning",
  ];
  const memory = ["--memory", `${String(DEFAULT_ROUTER_MEMORY)}m`, "--user", "101:101"];
  return lab.start(
    "router",
    { image: DEFAULT_ENVOY_IMAGE, files, entrypoint: "envoy", command: options, options: memory },
    ({ address }) => answers(address, HTTP_PORT),
  );
}

async function renderer(ref: string | undefined): Promise<Renderer> {
  const load = async (root: string): Promise<Renderer> => {
    const [bootstrap, routes] = (await Promise.all([
      import(join(root, "components/routing/bootstrap.ts")),
      import(join(root, "contract/envoy/routes.ts")),
    ])) as [Pick<Renderer, "envoyBootstrap">, Pick<Renderer, "routesFile">];
    return { envoyBootstrap: bootstrap.envoyBootstrap, routesFile: routes.routesFile };
  };
  if (ref === undefined) return load(PROJECT_ROOT);
  const directory = await mkdtemp(join(tmpdir(), "bench-"));
  const script = 'git archive "$1" contract components/routing package.json | tar -x -C "$2"';
  await promisify(execFile)("sh", ["-ec", script, "sh", ref, directory], { cwd: PROJECT_ROOT });
  const loaded = await load(directory);
  await rm(directory, { recursive: true });
  return loaded;
}

/** The least that Envoy can do: one listener, one route, one cluster. */
export const bareEnvoy: LabRouter = {
  name: "Envoy, bare",
  start: (lab) => {
    const socket = (address: string, port: number): Json => ({ socket_address: { address, port_value: port } });
    const manager = typed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: "http",
      generate_request_id: false,
      upgrade_configs: [{ upgrade_type: "websocket" }],
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "blue", timeout: "0s" } }],
          },
        ],
      },
      http_filters: [{ name: "router", typed_config: typed("envoy.extensions.filters.http.router.v3.Router") }],
    });
    return startEnvoy(lab, {
      static_resources: {
        listeners: [
          {
            name: "http",
            address: socket("0.0.0.0", HTTP_PORT),
            filter_chains: [
              { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] },
            ],
          },
        ],
        clusters: [
          {
            name: "blue",
            type: "STRICT_DNS",
            load_assignment: {
              cluster_name: "blue",
              endpoints: [{ lb_endpoints: [{ endpoint: { address: socket("server-blue", HTTP_PORT) } }] }],
            },
          },
        ],
      },
    });
  },
};

/** HAProxy with one thread, as its CPU; no limit of connections to the server. */
export const haproxy = peer(
  "HAProxy",
  ["haproxy", "-db", "-f", "/etc/bench/peer.conf"],
  [
    "global",
    "  nbthread 1",
    "  maxconn 9500",
    "defaults",
    "  mode http",
    "  timeout connect 10s",
    "  timeout client 1h",
    "  timeout server 1h",
    "  timeout tunnel 24h",
    "frontend http",
    `  bind 0.0.0.0:${String(HTTP_PORT)}`,
    "  default_backend plain",
    "backend plain",
    `  http-response set-header ${HEADERS.servedBy} %s`,
    `  server blue server-blue:${String(HTTP_PORT)} init-addr libc weight 100`,
  ],
);

/** nginx with one worker. */
export const nginx = peer(
  "nginx",
  ["nginx", "-c", "/etc/bench/peer.conf", "-g", "daemon off;"],
  [
    "worker_processes 1;",
    "worker_rlimit_nofile 20000;",
    "error_log stderr error;",
    "events { worker_connections 9500; }",
    "http {",
    "  access_log off;",
    "  keepalive_requests 1000000;",
    `  upstream blue { server server-blue:${String(HTTP_PORT)}; keepalive 256; keepalive_requests 1000000; }`,
    '  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }',
    "  server {",
    `    listen ${String(HTTP_PORT)} backlog=4096;`,
    "    location / {",
    "      proxy_pass http://blue;",
    "      proxy_http_version 1.1;",
    "      proxy_set_header Upgrade $http_upgrade;",
    "      proxy_set_header Connection $connection_upgrade;",
    "      proxy_read_timeout 1h;",
    `      add_header ${HEADERS.servedBy} blue always;`,
    "    }",
    "  }",
    "}",
  ],
);

function peer(name: string, command: readonly string[], configuration: readonly string[]): LabRouter {
  const run: LabRun = {
    image: PEERS_IMAGE,
    files: { "/etc/bench/peer.conf": `${configuration.join("\n")}\n` },
    command,
  };
  return { name, start: (lab) => lab.start("router", run, ({ address }) => answers(address, HTTP_PORT)) };
}
