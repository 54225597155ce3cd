import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { HEADERS } from "../../../contract/server.ts";
import { clock } from "../../../tests/support/load/clock.ts";
import { programVersion, requireProgram } from "./programs.ts";
import { RouterProcess, routerPorts, type Backends, type Peer } from "./router.ts";

/**
 * Caddy: a new configuration by its admin interface. `stream_close_delay`, without which every load cuts all WebSockets,
 * is longer than the run. Its policies by header hash the header, which sends a session elsewhere than where it was opened,
 * so it gets our way: the slot in front of the identifier.
 */
export const caddy: Peer = {
  name: "caddy",
  async start(backends, directory) {
    const program = await requireProgram("caddy");
    const ports = await routerPorts();
    const file = join(directory, "Caddyfile");
    await writeFile(file, configuration(backends, ports, 0));
    const routerUrl = `http://127.0.0.1:${String(ports.http)}`;
    const args = ["run", "--config", file, "--adapter", "caddyfile"];
    const running = await RouterProcess.start(program, args, directory, routerUrl);
    return {
      title: `Caddy ${await programVersion(program, "build-info", /caddy\/v2\s+v(\S+)/)}`,
      how: "admin `/load`, `stream_close_delay` longer than the run; the slot in front of `Mcp-Session-Id` by `header_down`",
      routerUrl,
      webSocketUrl: `ws://127.0.0.1:${String(ports.webSocket)}`,
      shift: async (green) => {
        const body = configuration(backends, ports, green);
        const at = clock();
        const admin = `http://127.0.0.1:${String(ports.admin)}`;
        const response = await fetch(`${admin}/load`, {
          method: "POST",
          // Node's fetch looks like a browser's to Caddy, which then wants to know the origin.
          headers: { "content-type": "text/caddyfile", origin: admin },
          body,
        });
        if (!response.ok) throw new Error(`Caddy: ${await response.text()}`);
        return at;
      },
      usage: () => running.usage(),
      stop: () => running.stop(),
    };
  },
};

function configuration(
  backends: Backends,
  ports: { http: number; webSocket: number; admin: number },
  green: number,
): string {
  // A slot without weight is left out: the policy has no weight 0 in every version.
  const weights = SLOTS.map((slot) => ({ slot, weight: slot === "green" ? green : 100 - green }));
  const used = weights.filter(({ weight }) => weight > 0);
  const to = (kind: "http" | "webSocket"): string => used.map(({ slot }) => backends[slot][kind]).join(" ");
  const policy =
    used.length > 1 ? [`lb_policy weighted_round_robin ${used.map(({ weight }) => weight).join(" ")}`] : [];
  const pinned = (slot: Slot): string[] => [
    `@${slot} header_regexp ${slot} Mcp-Session-Id ^${slot}\\.(.+)$`,
    `handle @${slot} {`,
    `  reverse_proxy ${backends[slot].http} {`,
    `    header_up Mcp-Session-Id {re.${slot}.1}`,
    `    header_down ${HEADERS.servedBy} ${slot}`,
    `    header_down Mcp-Session-Id ^(.+)$ ${slot}.$1`,
    "    stream_close_delay 1h",
    "  }",
    "}",
  ];
  return [
    "{",
    `  admin 127.0.0.1:${String(ports.admin)}`,
    "  auto_https off",
    "  persist_config off",
    "  log {",
    "    level ERROR",
    "  }",
    "}",
    `http://127.0.0.1:${String(ports.http)} {`,
    "  bind 127.0.0.1",
    "  map {http.reverse_proxy.upstream.hostport} {slot} {",
    ...SLOTS.map((slot) => `    ${backends[slot].http} ${slot}`),
    "  }",
    ...SLOTS.flatMap(pinned),
    "  handle {",
    `    reverse_proxy ${to("http")} {`,
    ...policy,
    `      header_down ${HEADERS.servedBy} {slot}`,
    "      header_down Mcp-Session-Id ^(.+)$ {slot}.$1",
    "      stream_close_delay 1h",
    "    }",
    "  }",
    "}",
    `http://127.0.0.1:${String(ports.webSocket)} {`,
    "  bind 127.0.0.1",
    `  reverse_proxy ${to("webSocket")} {`,
    ...policy,
    "    stream_close_delay 1h",
    "  }",
    "}",
    "",
  ].join("\n");
}
