import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { SLOTS } from "../../../contract/slots.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { clock } from "../../../tests/support/load/clock.ts";
import { programVersion, requireProgram } from "./programs.ts";
import { RouterProcess, routerPorts, type Backends, type Peer } from "./router.ts";

const GROUPS = ["plain", "mcp", "websocket"] as const;

/** HAProxy: weights by its runtime API, MCP sessions by a stick table that learns the identifier from the response. */
export const haproxy: Peer = {
  name: "haproxy",
  async start(backends, directory) {
    const program = await requireProgram("haproxy");
    const ports = await routerPorts();
    const socket = join(directory, "haproxy.sock");
    const file = join(directory, "haproxy.cfg");
    await writeFile(file, configuration(backends, ports, socket));
    const routerUrl = `http://127.0.0.1:${String(ports.http)}`;
    const running = await RouterProcess.start(program, ["-db", "-f", file], directory, routerUrl);
    return {
      title: `HAProxy ${await programVersion(program, "-v", /version (\S+?)-/)}`,
      how: "`set weight` on the runtime socket; stick table on `Mcp-Session-Id`, learnt from the response",
      routerUrl,
      webSocketUrl: `ws://127.0.0.1:${String(ports.webSocket)}`,
      shift: async (green) => {
        const commands = GROUPS.flatMap((group) => [
          `set weight ${group}/green ${String(green)}`,
          `set weight ${group}/blue ${String(100 - green)}`,
        ]);
        const at = clock();
        const answer = await runtime(socket, commands.join("; "));
        if (answer.trim() !== "") throw new Error(`HAProxy: ${answer.trim()}`);
        return at;
      },
      usage: () => running.usage(),
      stop: () => running.stop(),
    };
  },
};

function configuration(backends: Backends, ports: { http: number; webSocket: number }, socket: string): string {
  const servers = (kind: "http" | "webSocket"): string[] =>
    SLOTS.map((slot) => `  server ${slot} ${backends[slot][kind]} weight ${slot === "blue" ? "100" : "0"}`);
  return [
    "global",
    `  stats socket ${socket} mode 600 level admin`,
    "  maxconn 8000",
    "defaults",
    "  mode http",
    "  balance roundrobin",
    "  timeout connect 5s",
    "  timeout client 1h",
    "  timeout server 1h",
    "  timeout tunnel 24h",
    "frontend http",
    `  bind 127.0.0.1:${String(ports.http)}`,
    `  use_backend mcp if { path_beg ${SERVER_PATHS.mcp} }`,
    "  default_backend plain",
    "frontend websocket",
    `  bind 127.0.0.1:${String(ports.webSocket)}`,
    "  default_backend websocket",
    "backend plain",
    `  http-response set-header ${HEADERS.servedBy} %s`,
    ...servers("http"),
    "backend mcp",
    "  stick-table type string len 64 size 100k expire 2h",
    `  stick match req.hdr(${HEADERS.mcpSessionId})`,
    `  stick store-response res.hdr(${HEADERS.mcpSessionId})`,
    `  http-response set-header ${HEADERS.servedBy} %s`,
    ...servers("http"),
    "backend websocket",
    ...servers("webSocket"),
    "",
  ].join("\n");
}

/** Sends a line to the runtime API and reads the answer. */
function runtime(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(path, () => socket.end(`${line}\n`));
    socket
      .setEncoding("utf8")
      .on("data", (text: string) => (answer += text))
      .on("error", reject)
      .on("close", () => {
        resolve(answer);
      });
  });
}
