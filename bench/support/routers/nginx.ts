import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SLOTS } from "../../../contract/slots.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { clock } from "../../../tests/support/load/clock.ts";
import { programVersion, requireProgram } from "./programs.ts";
import { RouterProcess, routerPorts, type Backends, type Peer } from "./router.ts";

/**
 * nginx: `split_clients` rewritten, then the reload that its documentation has for a new configuration. Its free edition has
 * no sticky sessions, so it gets our way: the slot in front of the session's identifier, by `map`.
 */
export const nginx: Peer = {
  name: "nginx",
  async start(backends, directory) {
    const program = await requireProgram("nginx");
    const ports = await routerPorts();
    const file = join(directory, "nginx.conf");
    const write = async (green: number): Promise<void> => {
      await writeFile(`${file}.new`, configuration(backends, ports, directory, green));
      await rename(`${file}.new`, file);
    };
    await mkdir(join(directory, "temporary"));
    await write(0);
    const routerUrl = `http://127.0.0.1:${String(ports.http)}`;
    const args = ["-p", directory, "-c", file, "-e", join(directory, "error.log"), "-g", "daemon off;"];
    const running = await RouterProcess.start(program, args, directory, routerUrl);
    return {
      title: `nginx ${await programVersion(program, "-v", /nginx\/(\S+)/)}`,
      how: "`split_clients` rewritten and SIGHUP, no `worker_shutdown_timeout`; the slot in front of `Mcp-Session-Id` by `map`",
      routerUrl,
      webSocketUrl: `ws://127.0.0.1:${String(ports.webSocket)}`,
      shift: async (green) => {
        await write(green);
        const at = clock();
        running.signal("SIGHUP");
        return at;
      },
      usage: () => running.usage(),
      stop: () => running.stop(),
    };
  },
};

function configuration(
  backends: Backends,
  ports: { http: number; webSocket: number },
  directory: string,
  green: number,
): string {
  const share = green === 0 ? "" : green === 100 ? "" : `${String(green)}% green; `;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `  ${kind}_temp_path ${join(directory, "temporary", kind)};`,
  );
  const session = "$upstream_http_mcp_session_id";
  return [
    ...(process.getuid?.() === 0 ? ["user root;"] : []),
    "worker_processes auto;",
    `pid ${join(directory, "nginx.pid")};`,
    "events { worker_connections 8192; }",
    "http {",
    ...temporary,
    "  access_log off;",
    `  split_clients $request_id $split { ${share}* ${green === 100 ? "green" : "blue"}; }`,
    "  map $http_mcp_session_id $pinned { ~^blue\\. blue; ~^green\\. green; default $split; }",
    '  map $http_mcp_session_id $bare { ~^(?:blue|green)\\.(?<id>.+)$ $id; default ""; }',
    `  map ${session} $tagged { "" ""; default "$pinned.${session}"; }`,
    ...SLOTS.flatMap((slot) => [
      `  upstream ${slot} { server ${backends[slot].http}; keepalive 256; }`,
      `  upstream ${slot}_websocket { server ${backends[slot].webSocket}; }`,
    ]),
    "  proxy_http_version 1.1;",
    "  server {",
    `    listen 127.0.0.1:${String(ports.http)};`,
    '    proxy_set_header Connection "";',
    `    location / { proxy_pass http://$split; add_header ${HEADERS.servedBy} $split always; }`,
    `    location ${SERVER_PATHS.mcp} {`,
    "      proxy_pass http://$pinned;",
    "      proxy_buffering off;",
    "      proxy_read_timeout 600s;",
    '      proxy_set_header Connection "";',
    "      proxy_set_header Mcp-Session-Id $bare;",
    "      proxy_hide_header Mcp-Session-Id;",
    "      add_header Mcp-Session-Id $tagged always;",
    `      add_header ${HEADERS.servedBy} $pinned always;`,
    "    }",
    "  }",
    "  server {",
    `    listen 127.0.0.1:${String(ports.webSocket)};`,
    "    location / {",
    "      proxy_pass http://${split}_websocket;",
    "      proxy_set_header Upgrade $http_upgrade;",
    "      proxy_set_header Connection upgrade;",
    "      proxy_read_timeout 24h;",
    "    }",
    "  }",
    "}",
    "",
  ].join("\n");
}
