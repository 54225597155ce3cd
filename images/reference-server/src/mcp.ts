import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Gauge } from "prom-client";
import { HEADERS } from "../../../contract/server.ts";
import { sameUser, type Caller, type Callers } from "./users/caller.ts";
import type { User } from "./database/database.ts";
import { UnknownUser, type Records, type SessionRows } from "./database/records.ts";
import { Refusal, retryAfterHeader } from "./database/unavailable.ts";
import { retryAfter, spread } from "./lifecycle.ts";
import type { Recording } from "./tools.ts";

/** A session without requests or an open stream ends after this long; its client gets 404 and initializes again. */
const IDLE_MS = 30 * 60_000;

/** Most sessions at a time: each costs some 100 kB, so this many stay below a gigabyte. */
const SESSIONS_MAX = 5000;

/** JSON-RPC error codes that the MCP SDK uses for the same conditions. */
const SERVER_ERROR = -32000;
const SESSION_NOT_FOUND = -32001;

interface Session {
  readonly transport: StreamableHTTPServerTransport;
  /** The only one who may use it; undefined if it began without a user. */
  readonly user: User | undefined;
  /** Hash of the API key that its event stream was opened with. */
  streamKey?: string | undefined;
  /** Requests that are being answered, open event streams among them. */
  open: number;
  /** Clock of `performance.now()`. */
  lastUsed: number;
}

/** Answers a JSON-RPC error that belongs to no request. */
function refuse(
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
  again: Readonly<Record<string, string>> = status === 503 ? { "retry-after": retryAfter() } : {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...again });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id: null }));
}

/** The MCP sessions of this process, over Streamable HTTP. */
export class McpSessions {
  readonly #sessions = new Map<string, Session>();
  readonly #createServer: (recording: Recording | undefined) => McpServer;
  readonly #callers: Callers | undefined;
  readonly #records: Records | undefined;
  /** Sessions whose end is being recorded. */
  readonly #ending = new Set<Promise<void>>();
  readonly #gauge: Gauge;

  /** @param records where sessions of users are kept; without them and callers, no token is looked at */
  constructor(
    createServer: (recording: Recording | undefined) => McpServer,
    gauge: Gauge,
    callers?: Callers,
    records?: Records,
  ) {
    this.#createServer = createServer;
    this.#callers = callers;
    this.#records = records;
    this.#gauge = gauge;
    setInterval(() => {
      this.#endIdle();
    }, 60_000).unref();
    if (callers?.takesKeys === true)
      setInterval(() => {
        void this.#endRevoked();
      }, callers.checkMs).unref();
  }

  /** Answers POST, GET or DELETE. `accepting` says whether a new session may begin. */
  async handle(request: IncomingMessage, response: ServerResponse, accepting: boolean): Promise<void> {
    const { method } = request;
    if (method !== "POST" && method !== "GET" && method !== "DELETE") {
      response.setHeader("allow", "GET, POST, DELETE");
      refuse(response, 405, SERVER_ERROR, "Method not allowed");
      return;
    }
    await this.#recorded(response, () => this.#handle(request, response, accepting));
  }

  async #handle(request: IncomingMessage, response: ServerResponse, accepting: boolean): Promise<void> {
    const { method } = request;
    const caller: Caller = (await this.#callers?.of(request, "chat")) ?? { kind: "anonymous" };
    if (caller.kind === "refused") {
      const [title, error] =
        caller.status === 401 ? ["Unauthorized", "invalid_token"] : ["Forbidden", "insufficient_scope"];
      const challenge = { "www-authenticate": `Bearer realm="exai", error="${error}"` };
      refuse(response, caller.status, SERVER_ERROR, `${title}: ${caller.reason}`, challenge);
      return;
    }
    const { user, keyHash }: Partial<Extract<Caller, { kind: "user" }>> = caller.kind === "user" ? caller : {};
    const id = request.headers[HEADERS.mcpSessionId];
    if (id === undefined) {
      if (method !== "POST") refuse(response, 400, SERVER_ERROR, "Bad Request: Mcp-Session-Id header is required");
      else if (!accepting) refuse(response, 503, SERVER_ERROR, "Server is shutting down");
      else if (this.#sessions.size >= SESSIONS_MAX) refuse(response, 503, SERVER_ERROR, "Too many sessions");
      else await this.#begin(request, response, user);
      return;
    }
    const session = typeof id === "string" ? this.#sessions.get(id) : undefined;
    // The identifier alone does not let another user in.
    if (!session || !sameUser(session.user, user)) {
      refuse(response, 404, SESSION_NOT_FOUND, "Session not found");
      return;
    }
    if (method === "GET") session.streamKey = keyHash;
    if (user !== undefined && method === "POST") await this.#records?.admit(user, "requests");
    await this.#pass(session, request, response);
  }

  /** Answers what the database cannot take now, or not for this user. */
  async #recorded(response: ServerResponse, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof Refusal)
        refuse(response, error.status, SERVER_ERROR, error.message, { "retry-after": retryAfterHeader(error) });
      else if (error instanceof UnknownUser) refuse(response, 403, SERVER_ERROR, `Forbidden: ${error.message}`);
      else throw error;
    }
  }

  /** Ends the event streams that clients opened with GET, spread over the window, in milliseconds; requests in flight go on. */
  endStreams(windowMs: number): void {
    spread(this.#sessions.values(), windowMs, ({ transport }) => {
      transport.closeStandaloneSSEStream();
    });
  }

  /** Ends every session, and waits until that is recorded. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ transport }) => transport.close()));
    await Promise.all(this.#ending);
  }

  #end(records: Records, rows: SessionRows): void {
    const ending = records.endSession(rows).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async #pass(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
    session.open += 1;
    response.once("close", () => {
      session.open -= 1;
      session.lastUsed = performance.now();
    });
    await session.transport.handleRequest(request, response);
  }

  async #begin(request: IncomingMessage, response: ServerResponse, user: User | undefined): Promise<void> {
    const sessionId = randomUUID();
    const records = this.#records;
    let rows: SessionRows | undefined;
    if (user !== undefined && records !== undefined) rows = await records.beginSession(user, sessionId);
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => sessionId,
      onsessioninitialized: (id) => {
        this.#sessions.set(id, session);
        this.#gauge.set(this.#sessions.size);
      },
    });
    const session: Session = { transport, user, open: 0, lastUsed: performance.now() };
    const server = this.#createServer(records && rows ? { records, rows } : undefined);
    if (records && rows) {
      const kept = rows;
      server.server.oninitialized = () => {
        const client = server.server.getClientVersion();
        if (client) void records.nameClient(kept, client.name, client.version);
      };
    }
    // Set before connect(), which chains its own handler behind this one.
    transport.onclose = () => {
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId);
      this.#gauge.set(this.#sessions.size);
      if (records && rows) this.#end(records, rows);
    };
    await server.connect(transport);
    await this.#pass(session, request, response);
    // The request opened no session: the SDK has answered 400.
    if (transport.sessionId === undefined) await server.close();
  }

  /** Ends event streams whose key is not valid any more: they ask for nothing, and would go on. */
  async #endRevoked(): Promise<void> {
    for (const { streamKey, transport } of [...this.#sessions.values()])
      if (streamKey !== undefined && (await this.#callers?.isValid(streamKey, "chat")) === false)
        transport.closeStandaloneSSEStream();
  }

  #endIdle(): void {
    const now = performance.now();
    for (const session of this.#sessions.values())
      if (session.open === 0 && now - session.lastUsed > IDLE_MS) void session.transport.close();
  }
}
