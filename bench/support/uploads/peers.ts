import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { storageKey } from "../../../contract/storage/object-store.ts";
import { createStore } from "../../../images/object-store/src/http.ts";
import { Objects } from "../../../images/object-store/src/objects.ts";
import { cutAfter } from "../../../tests/support/uploads/cut-after.ts";
import { TOKEN_KEY } from "./client.ts";

/** The object store and the provider of a bench. */
export interface Peers {
  /** What a server needs to reach them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Lets a share of the requests with bytes fail: answered with 503, or cut in the middle, by turns. */
  fail(share: number): void;
  stop(): void;
}

/** Starts them on this machine. */
export async function startPeers(directory: string): Promise<Peers> {
  let share = 0;
  let failures = 0;
  const failing =
    (handler: RequestListener) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const bytes = request.method === "PATCH" || request.url === "/v1/files";
      if (!bytes || Math.random() >= share) {
        handler(request, response);
        return;
      }
      failures += 1;
      if (failures % 2 === 0) {
        request.resume();
        response.writeHead(503, { "retry-after": "1" }).end();
        return;
      }
      cutAfter(request, 500_000);
      handler(request, response);
    };
  const objects = new Objects(directory);
  await objects.prepare();
  const realStore = createStore(objects, TOKEN_KEY);
  const store = createServer(failing((request, response) => realStore.emit("request", request, response)));
  const provider = createServer(
    failing((request, response) => {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      request.on("end", () => response.end(JSON.stringify({ id: `file-${String(bytes)}`, status: "ok" })));
    }),
  );
  const ports: number[] = [];
  for (const server of [store, provider]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  return {
    environment: {
      EXAI_JWT_TOKEN: TOKEN_KEY,
      KIMI_API_KEY: "key",
      KIMI_API_URL: `http://127.0.0.1:${String(ports[1])}/v1`,
      SUPABASE_URL: `http://127.0.0.1:${String(ports[0])}`,
      SUPABASE_ANON_KEY: storageKey(TOKEN_KEY, "anon"),
      SUPABASE_SERVICE_ROLE_KEY: storageKey(TOKEN_KEY, "service_role"),
    },
    fail: (wanted) => {
      share = wanted;
    },
    stop: () => {
      for (const server of [store, provider]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}
