import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { HEADERS } from "../../../contract/server.ts";
import type { Environment } from "./environment.ts";
import type { FaultInjector } from "./fault-injector.ts";
import { spread, type Lifecycle } from "./lifecycle.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { isSameSite } from "./origin.ts";
import { closeForRestart, refuseUpgrade } from "./websocket.ts";

/** Time between two pushes of the numbers, in milliseconds. */
const PUSH_MS = 2000;

/** Age up to which numbers are sent to another new client, in milliseconds: a thousand that come at once cost one summary. */
const FRESH_MS = 250;

/** Pushes the metrics to the dashboard's WebSockets. */
export class Dashboard {
  // The dashboard only receives, so a small limit suffices.
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: 1024 });
  readonly #environment: Environment;
  readonly #faults: FaultInjector;
  readonly #lifecycle: Lifecycle;
  readonly #metrics: Metrics;
  readonly #log: Log;
  #numbers: { readonly at: number; readonly message: Promise<Buffer> } | undefined;

  constructor(environment: Environment, faults: FaultInjector, lifecycle: Lifecycle, metrics: Metrics, log: Log) {
    this.#environment = environment;
    this.#faults = faults;
    this.#lifecycle = lifecycle;
    this.#metrics = metrics;
    this.#log = log;
    this.#webSockets.on("headers", (headers) => headers.push(`${HEADERS.release}: ${environment.release}`));
    setInterval(() => void this.#push(this.#webSockets.clients), PUSH_MS).unref();
  }

  /** Accepts or refuses the upgrade: a browser must come from this server's own page. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { release, productionOrigin } = this.#environment;
    const { origin, host } = request.headers;
    if (!this.#lifecycle.accepting) {
      refuseUpgrade(socket, "503 Service Unavailable", "the server is shutting down", release);
    } else if (this.#faults.failsDashboard()) {
      refuseUpgrade(socket, "500 Internal Server Error", "failed by EXAI_FAULTS", release);
    } else if (!isSameSite({ origin, host }, productionOrigin)) {
      refuseUpgrade(socket, "403 Forbidden", "this origin may not read the dashboard", release);
    } else {
      this.#webSockets.handleUpgrade(request, socket, head, (client) => {
        this.#metrics.webSockets.inc();
        client.once("close", () => {
          this.#metrics.webSockets.dec();
        });
        client.on("error", (error) => {
          this.#log.debug("dashboard WebSocket failed", { error: error.message });
        });
        void this.#push(new Set([client]));
      });
    }
  }

  /** Closes every WebSocket with 1012, spread over the window, in milliseconds. */
  closeAll(windowMs: number): void {
    spread(this.#webSockets.clients, windowMs, closeForRestart);
  }

  /** Closes the remaining connections at once. */
  terminateAll(): void {
    for (const client of this.#webSockets.clients) client.terminate();
  }

  async #push(clients: ReadonlySet<WebSocket>): Promise<void> {
    if (clients.size === 0) return;
    const message = await this.#message();
    for (const client of clients) {
      // A client that does not read skips numbers instead of filling the server's memory.
      if (client.readyState === client.OPEN && client.bufferedAmount < message.length)
        client.send(message, { binary: false });
    }
  }

  /** The numbers as they are sent, serialised once for all clients. */
  #message(): Promise<Buffer> {
    const at = performance.now();
    if (this.#numbers === undefined || at - this.#numbers.at > FRESH_MS)
      this.#numbers = {
        at,
        message: this.#metrics.summary().then((summary) => Buffer.from(JSON.stringify(summary))),
      };
    return this.#numbers.message;
  }
}
