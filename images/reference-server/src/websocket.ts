import { createServer, STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { isApiKey } from "../../../contract/secrets/api-key.ts";
import { CLOSE_SERVICE_RESTART, HEADERS } from "../../../contract/server.ts";
import { Refusal } from "./database/unavailable.ts";
import type { Environment } from "./environment.ts";
import type { FaultInjector } from "./fault-injector.ts";
import { verifyToken } from "./jwt.ts";
import { retryAfter, spread, type Lifecycle } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { isProductionBrowser } from "./origin.ts";
import { bearerOf, type Callers } from "./users/caller.ts";

/** Largest accepted message, in bytes. */
const MESSAGE_MAX_BYTES = 1024 * 1024;

/** Unanswered pings, one per interval, after which the client is disconnected. */
const MISSED_PINGS_MAX = 2;

/** WebSocket close code "policy violation" (RFC 6455): the client does not connect again with the same key. */
const CLOSE_POLICY = 1008;

/** Route label of upgrades in the metrics. */
const ROUTE = "websocket";

/** Answers an upgrade with an HTTP error and closes the connection. */
export function refuseUpgrade(socket: Duplex, status: string, reason: string, release: string): void {
  const headers = [
    `HTTP/1.1 ${status}`,
    `${HEADERS.release}: ${release}`,
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(reason)}`,
    "connection: close",
  ];
  if (status.startsWith("401")) headers.push('www-authenticate: Bearer realm="exai"');
  if (status.startsWith("503")) headers.push(`retry-after: ${retryAfter()}`);
  socket.once("error", () => socket.destroy());
  socket.end(`${headers.join("\r\n")}\r\n\r\n${reason}`);
}

/** Token of an upgrade: `Authorization: Bearer`, or the query parameter `token`, since browsers can set no header. */
export function tokenOf(request: Pick<IncomingMessage, "headers" | "url">): string | undefined {
  const bearer = bearerOf(request);
  if (bearer !== undefined) return bearer;
  const query = request.url?.split("?", 2)[1];
  return (query === undefined ? null : new URLSearchParams(query).get("token")) ?? undefined;
}

function decode(data: RawData): Readonly<Record<string, unknown>> | undefined {
  try {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Closes a WebSocket so that its client connects again: to another replica, or to the other slot. */
export function closeForRestart(client: WebSocket): void {
  client.close(CLOSE_SERVICE_RESTART, "service restart");
}

/** What {@link EchoWebSockets} is made of. */
export interface WebSocketParts {
  readonly environment: Environment;
  readonly faults: FaultInjector;
  readonly lifecycle: Lifecycle;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly callers: Callers;
}

/** Status line and reason of a refused upgrade. */
type Refused = readonly [status: string, reason: string];

/** The WebSocket server of EXAI_WS_PORT: takes JSON objects and sends each back with release and slot. */
export class EchoWebSockets {
  readonly server: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX_BYTES });
  readonly #environment: Environment;
  readonly #faults: FaultInjector;
  readonly #lifecycle: Lifecycle;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #callers: Callers;

  constructor({ environment, faults, lifecycle, metrics, log, callers }: WebSocketParts) {
    this.#callers = callers;
    this.#environment = environment;
    this.#faults = faults;
    this.#lifecycle = lifecycle;
    this.#metrics = metrics;
    this.#log = log;
    this.server = createServer((_request, response) => {
      response.setHeader(HEADERS.release, environment.release);
      response.writeHead(426, { upgrade: "websocket", connection: "upgrade, close", "content-type": "text/plain" });
      response.end("this port speaks WebSocket\n");
    });
    this.server.on("upgrade", (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
    this.#webSockets.on("headers", (headers) => headers.push(`${HEADERS.release}: ${environment.release}`));
  }

  /** Number of open WebSockets. */
  get size(): number {
    return this.#webSockets.clients.size;
  }

  /** Closes every WebSocket with 1012, spread over the window, in milliseconds. */
  closeAll(windowMs: number): void {
    spread(this.#webSockets.clients, windowMs, closeForRestart);
  }

  /** Closes the remaining connections at once. */
  terminateAll(): void {
    for (const client of this.#webSockets.clients) client.terminate();
  }

  /** Why an upgrade is refused; undefined when it is not, or its API key says it. */
  #refusal(request: IncomingMessage): Refused | undefined {
    const { browserSecurity, productionOrigin, jwtKeys } = this.#environment;
    if (!this.#lifecycle.accepting) return ["503 Service Unavailable", "the server is shutting down"];
    const status = this.#faults.refusesWebSocket();
    if (status !== undefined) return [`${status} ${STATUS_CODES[status] ?? "Refused"}`, "refused by EXAI_FAULTS"];
    const { origin, host } = request.headers;
    if (browserSecurity && !isProductionBrowser({ origin, host }, productionOrigin))
      return ["403 Forbidden", "this origin may not open WebSockets"];
    if (jwtKeys.length === 0) return undefined;
    const token = tokenOf(request);
    if (token === undefined) return ["401 Unauthorized", "a token is required"];
    if (this.#takesKey(request)) return undefined;
    const verdict = verifyToken(token, jwtKeys, Date.now() / 1000);
    this.#metrics.token(verdict.key ?? "none");
    return verdict.valid ? undefined : ["401 Unauthorized", verdict.reason];
  }

  /** Whether an upgrade has an API key. Only in the header: routers write addresses into their logs. */
  #takesKey(request: IncomingMessage): boolean {
    return this.#callers.takesKeys && isApiKey(bearerOf(request) ?? "");
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request);
    if (refusal) this.#refuse(socket, refusal);
    else if (this.#environment.jwtKeys.length > 0 && this.#takesKey(request))
      void this.#upgradeByKey(request, socket, head);
    else this.#accept(request, socket, head);
  }

  async #upgradeByKey(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const broken = (): void => void socket.destroy();
    socket.once("error", broken);
    const refusal = await this.#keyRefusal(request);
    socket.off("error", broken);
    if (socket.destroyed) return;
    if ("keyHash" in refusal) this.#accept(request, socket, head, refusal.keyHash);
    else this.#refuse(socket, refusal.refused);
  }

  async #keyRefusal(request: IncomingMessage): Promise<{ readonly keyHash: string } | { readonly refused: Refused }> {
    try {
      const caller = await this.#callers.of(request, "chat");
      if (caller.kind === "user" && caller.keyHash !== undefined) return { keyHash: caller.keyHash };
      const { status, reason } = caller.kind === "refused" ? caller : { status: 401, reason: "an API key is required" };
      return { refused: [`${String(status)} ${STATUS_CODES[status] ?? "Refused"}`, reason] };
    } catch (error) {
      if (!(error instanceof Refusal)) {
        this.#log.error("an API key cannot be checked", { error: String(error) });
        return { refused: ["500 Internal Server Error", "internal error"] };
      }
      return { refused: [`${String(error.status)} ${STATUS_CODES[error.status] ?? "Refused"}`, error.message] };
    }
  }

  #refuse(socket: Duplex, [status, reason]: Refused): void {
    this.#metrics.request("GET", ROUTE, Number.parseInt(status), undefined);
    this.#log.debug("WebSocket refused", { status, reason });
    refuseUpgrade(socket, status, reason, this.#environment.release);
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer, keyHash?: string): void {
    this.#webSockets.handleUpgrade(request, socket, head, (client) => {
      this.#metrics.request("GET", ROUTE, 101, undefined);
      this.#serve(client);
      if (keyHash !== undefined) this.#watchKey(client, keyHash);
    });
  }

  /** Closes a WebSocket soon after its key is not valid any more. */
  #watchKey(client: WebSocket, keyHash: string): void {
    const timer = setInterval(() => {
      void this.#callers.isValid(keyHash, "chat").then((valid) => {
        if (!valid) client.close(CLOSE_POLICY, "the API key is not valid any more");
      });
    }, this.#callers.checkMs);
    client.once("close", () => {
      clearInterval(timer);
    });
  }

  #serve(client: WebSocket): void {
    this.#metrics.webSockets.inc();
    const stopPinging = this.#ping(client);
    client.once("close", () => {
      this.#metrics.webSockets.dec();
      stopPinging();
    });
    // A client that vanishes is not the server's error; ws closes the socket after this event.
    client.on("error", (error) => {
      this.#log.debug("WebSocket failed", { error: error.message });
    });
    client.on("message", (data) => {
      if (this.#faults.dropsWebSocket()) {
        client.terminate();
        return;
      }
      const message = decode(data);
      const { release, slot = null } = this.#environment;
      const answer = JSON.stringify(
        message ? { ...message, release, slot } : { error: "the message is not a JSON object", release, slot },
      );
      this.#late(() => {
        if (client.readyState === client.OPEN) client.send(answer);
      });
    });
  }

  /** Runs the action, after the delay of the fault `ws-latency` when there is one. */
  #late(action: () => void): void {
    const { webSocketLatencyMs } = this.#faults;
    if (webSocketLatencyMs > 0) setTimeout(action, webSocketLatencyMs).unref();
    else action();
  }

  /** Pings at once and then regularly, measures the round trip, cuts clients that stay silent. Returns the stop. */
  #ping(client: WebSocket): () => void {
    let sentAt: number | undefined;
    let missed = 0;
    const ping = () => {
      if (sentAt !== undefined) {
        missed += 1;
        if (missed >= MISSED_PINGS_MAX) client.terminate();
        return;
      }
      missed = 0;
      sentAt = performance.now();
      this.#late(() => {
        if (client.readyState === client.OPEN) client.ping();
      });
    };
    client.on("pong", () => {
      if (sentAt === undefined) return;
      this.#metrics.webSocketPing((performance.now() - sentAt) / 1000);
      sentAt = undefined;
    });
    ping();
    const timer = setInterval(ping, this.#environment.pingSeconds * 1000);
    return () => {
      clearInterval(timer);
    };
  }
}
