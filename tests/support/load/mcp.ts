import type { OutgoingHttpHeaders } from "node:http";
import type { Slot } from "../../../contract/slots.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import type { Answer, HttpClient } from "./http.ts";

/** What the clients of MCP saw. */
export interface McpReport {
  /** Sessions that were opened, those after a 404 among them. */
  readonly sessions: number;
  readonly calls: number;
  /** Calls answered by another slot than the one that opened the session. */
  readonly wrongSlot: number;
  /** Sessions that had such a call. */
  readonly sessionsOnWrongSlot: number;
  /** Sessions that were answered 404 and initialised again. */
  readonly initialisedAgain: number;
  readonly failed: readonly string[];
}

const PROTOCOL_VERSION = "2025-06-18";

const HEADERS_OF_ALL: OutgoingHttpHeaders = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};

const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: PROTOCOL_VERSION, capabilities: {}, clientInfo: { name: "exai-bench", version: "1" } },
});
const INITIALIZED = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });
const CALL = JSON.stringify({
  jsonrpc: "2.0",
  id: 2,
  method: "tools/call",
  params: { name: "echo", arguments: { text: "bench" } },
});

interface Client {
  id: string | undefined;
  openedOn: Slot | undefined;
  strayed: boolean;
  busy: boolean;
}

/** MCP clients over Streamable HTTP with a session each; whose turn it is to call a tool goes round. */
export class McpClients {
  readonly #http: HttpClient;
  readonly #clients: Client[];
  readonly #report = { sessions: 0, calls: 0, wrongSlot: 0, sessionsOnWrongSlot: 0, initialisedAgain: 0 };
  readonly #failed: string[] = [];
  #turn = 0;

  constructor(http: HttpClient, count: number) {
    this.#http = http;
    this.#clients = Array.from({ length: count }, () => ({
      id: undefined,
      openedOn: undefined,
      strayed: false,
      busy: false,
    }));
  }

  /** Returns when every client has a session, or has failed to get one. */
  async start(): Promise<void> {
    const waiting = [...this.#clients];
    const open = async (): Promise<void> => {
      for (let client = waiting.pop(); client !== undefined; client = waiting.pop()) await this.#initialize(client);
    };
    await Promise.all(Array.from({ length: 10 }, open));
  }

  get inFlight(): number {
    return this.#clients.filter(({ busy }) => busy).length;
  }

  /** The next client calls a tool, or opens a session if it has none. */
  call(): void {
    this.#turn = (this.#turn + 1) % this.#clients.length;
    const client = this.#clients[this.#turn];
    if (client === undefined || client.busy) return;
    void (client.id === undefined ? this.#initialize(client) : this.#callTool(client));
  }

  async stop(): Promise<McpReport> {
    await Promise.all(
      this.#clients.map(async ({ id }) => {
        if (id === undefined) return;
        const headers = sessionHeaders(id);
        await new Promise<void>((resolve) => {
          this.#http.send({ method: "DELETE", path: SERVER_PATHS.mcp, headers }, () => {
            resolve();
          });
        });
      }),
    );
    return { ...this.#report, failed: this.#failed };
  }

  async #initialize(client: Client): Promise<void> {
    client.busy = true;
    const { status, servedBy, session, body } = await this.#post(INITIALIZE, {});
    if (status !== 200 || session === undefined) {
      this.#failed.push(`initialize: HTTP ${String(status)} ${body.slice(0, 100)}`);
    } else {
      Object.assign(client, { id: session, openedOn: servedBy, strayed: false });
      this.#report.sessions += 1;
      this.#judge(client, await this.#post(INITIALIZED, sessionHeaders(session)), [200, 202]);
    }
    client.busy = false;
  }

  async #callTool(client: Client): Promise<void> {
    client.busy = true;
    const answer = await this.#post(CALL, sessionHeaders(client.id ?? ""));
    this.#report.calls += 1;
    this.#judge(client, answer, [200]);
    client.busy = false;
  }

  #judge(client: Client, { status, servedBy, body }: Answer, good: number[]): void {
    if (servedBy !== undefined && servedBy !== client.openedOn) {
      this.#report.wrongSlot += 1;
      if (!client.strayed) this.#report.sessionsOnWrongSlot += 1;
      client.strayed = true;
    }
    if (good.includes(status) && (status !== 200 || body.includes('"result"'))) return;
    // The protocol requires a new session if the server does not know the old one.
    if (status === 404) this.#report.initialisedAgain += 1;
    else this.#failed.push(`MCP: HTTP ${String(status)} ${body.slice(0, 100)}`);
    client.id = undefined;
  }

  #post(body: string, headers: OutgoingHttpHeaders): Promise<Answer> {
    return new Promise((resolve) => {
      this.#http.send(
        { method: "POST", path: SERVER_PATHS.mcp, headers: { ...HEADERS_OF_ALL, ...headers }, body },
        resolve,
      );
    });
  }
}

function sessionHeaders(id: string): OutgoingHttpHeaders {
  return { [HEADERS.mcpSessionId]: id, "mcp-protocol-version": PROTOCOL_VERSION };
}
