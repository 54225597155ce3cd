import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Gauge } from "prom-client";
import { HEADERS } from "../../../contract/server.ts";
import { retryAfter, spread } from "./lifecycle.ts";

/** A session without requests or an open stream ends after this long; its client gets 404 and initializes again. */
const IDLE_MS = 30 * 60_000;

/** Most sessions at a time: each costs some 100 kB, so this many stay below a gigabyte. */
const SESSIONS_MAX = 5000;

/** JSON-RPC error codes that the MCP SDK uses for the same conditions. */
const SERVER_ERROR = -32000;
const SESSION_NOT_FOUND = -32001;

interface Session {
  readonly transport: StreamableHTTPServerTransport;
  /** Requests that are being answered, open event streams among them. */
  open: number;
  /** Clock of `performance.now()`. */
  lastUsed: number;
}

/** Answers a JSON-RPC error that belongs to no request. */
function refuse(response: ServerResponse, status: number, code: number, message: string): void {
  const again = status === 503 ? { "retry-after": retryAfter() } : {};
  response.writeHead(status, { "content-type": "application/json", ...again });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id: null }));
}

/** The MCP sessions of this process, over Streamable HTTP. */
export class McpSessions {
  readonly #sessions = new Map<string, Session>();
  readonly #createServer: () => McpServer;
  readonly #gauge: Gauge;

  constructor(createServer: () => McpServer, gauge: Gauge) {
    this.#createServer = createServer;
    this.#gauge = gauge;
    setInterval(() => {
      this.#endIdle();
    }, 60_000).unref();
  }

  /** Answers POST, GET or DELETE. `accepting` says whether a new session may begin. */
  async handle(request: IncomingMessage, response: ServerResponse, accepting: boolean): Promise<void> {
    const { method } = request;
    if (method !== "POST" && method !== "GET" && method !== "DELETE") {
      response.setHeader("allow", "GET, POST, DELETE");
      refuse(response, 405, SERVER_ERROR, "Method not allowed");
      return;
    }
    const id = request.headers[HEADERS.mcpSessionId];
    if (id === undefined) {
      if (method !== "POST") refuse(response, 400, SERVER_ERROR, "Bad Request: Mcp-Session-Id header is required");
      else if (!accepting) refuse(response, 503, SERVER_ERROR, "Server is shutting down");
      else if (this.#sessions.size >= SESSIONS_MAX) refuse(response, 503, SERVER_ERROR, "Too many sessions");
      else await this.#begin(request, response);
      return;
    }
    const session = typeof id === "string" ? this.#sessions.get(id) : undefined;
    if (!session) {
      refuse(response, 404, SESSION_NOT_FOUND, "Session not found");
      return;
    }
    await this.#pass(session, request, response);
  }

  /** Ends the event streams that clients opened with GET, spread over the window, in milliseconds; requests in flight go on. */
  endStreams(windowMs: number): void {
    spread(this.#sessions.values(), windowMs, ({ transport }) => {
      transport.closeStandaloneSSEStream();
    });
  }

  /** Ends every session. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ transport }) => transport.close()));
  }

  async #pass(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
    session.open += 1;
    response.once("close", () => {
      session.open -= 1;
      session.lastUsed = performance.now();
    });
    await session.transport.handleRequest(request, response);
  }

  async #begin(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        this.#sessions.set(id, session);
        this.#gauge.set(this.#sessions.size);
      },
    });
    const session: Session = { transport, open: 0, lastUsed: performance.now() };
    const server = this.#createServer();
    // Set before connect(), which chains its own handler behind this one.
    transport.onclose = () => {
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId);
      this.#gauge.set(this.#sessions.size);
    };
    await server.connect(transport);
    await this.#pass(session, request, response);
    // The request opened no session: the SDK has answered 400.
    if (transport.sessionId === undefined) await server.close();
  }

  #endIdle(): void {
    const now = performance.now();
    for (const session of this.#sessions.values())
      if (session.open === 0 && now - session.lastUsed > IDLE_MS) void session.transport.close();
  }
}
