import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SLOTS } from "../../../contract/slots.ts";
import { SERVER_METRICS } from "../../../contract/server.ts";

/** A Prometheus that has one fresh sample for every query, enough for a cutover to begin, and knows of no MCP session. */
export async function quietPrometheus(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    const now = Date.now() / 1000;
    const values = [
      [now - 1, "1"],
      [now, "2"],
    ];
    const data = decodeURIComponent(request.url ?? "").includes(SERVER_METRICS.mcpSessions)
      ? {
          resultType: "vector",
          result: SLOTS.map((slot) => ({ metric: { slot, metric: "mcpSessions" }, value: [now, "0"] })),
        }
      : { resultType: "matrix", result: [{ metric: {}, values }] };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ status: "success", data }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
