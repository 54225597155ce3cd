import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { WebSocketServer } from "ws";
import { slotOf } from "../../support/rollout/access.ts";
import type { Slot } from "../../../contract/slots.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";

/** What a slot does otherwise than a sound server. */
export interface Behaviour {
  /** Status with which a request is answered; undefined: soundly. The method of a WebSocket is `upgrade`. */
  readonly status?: (method: string, path: string) => number | undefined;
  /** Content type of its event stream. @default text/event-stream */
  readonly stream?: string;
}

/** Router and both slots in one process: whom the tester's header names answers. */
export class Slots {
  behaviour: Partial<Record<Slot, Behaviour>> = {};
  /** Requests by method and path. */
  readonly asked: string[] = [];
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  static async start(): Promise<Slots> {
    const slots = new Slots();
    slots.#server.listen(0, "127.0.0.1");
    await once(slots.#server, "listening");
    return slots;
  }

  constructor() {
    this.#sockets.on("headers", (headers, request) => headers.push(`${HEADERS.servedBy}: ${slotOf(request.headers)}`));
    this.#server.on("upgrade", (request, socket, head) => {
      const status = this.behaviour[slotOf(request.headers)]?.status?.("upgrade", request.url ?? "");
      if (status !== undefined) socket.end(`HTTP/1.1 ${String(status)} No\r\nconnection: close\r\n\r\n`);
      else this.#sockets.handleUpgrade(request, socket, head, () => undefined);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** Event streams that clients hold open. */
  streams = 0;

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: path = "" } = request;
    const slot = slotOf(request.headers);
    this.asked.push(`${method} ${path}`);
    response.setHeader(HEADERS.servedBy, slot);
    const { status, stream } = this.behaviour[slot] ?? {};
    const wanted = status?.(method, path);
    if (wanted !== undefined) {
      request.resume();
      response.writeHead(wanted).end("no");
    } else if (path !== SERVER_PATHS.mcp) {
      response.end("# TYPE up gauge\nup 1\n");
    } else if (method === "GET") {
      this.#stream(response, stream);
    } else if (method === "DELETE") {
      response.end();
    } else {
      const { id, method: call, params } = (await json(request)) as Call;
      const results: Record<string, unknown> = {
        initialize: {},
        "tools/list": { tools: [{ name: "echo" }] },
        "tools/call": { content: [{ type: "text", text: params?.arguments?.text }] },
      };
      response.setHeader(HEADERS.mcpSessionId, `${slot}.session`);
      if (id === undefined) response.writeHead(202).end();
      else response.end(JSON.stringify({ jsonrpc: "2.0", id, result: results[call] }));
    }
  }

  #stream(response: ServerResponse, type: string | undefined): void {
    response.writeHead(200, { "content-type": type ?? "text/event-stream" });
    if (type !== undefined) {
      response.end("{}");
      return;
    }
    response.flushHeaders();
    this.streams += 1;
    response.once("close", () => {
      this.streams -= 1;
    });
  }
}

interface Call {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly arguments?: { readonly text?: string } };
}
