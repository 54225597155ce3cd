import { setTimeout as sleep } from "node:timers/promises";
import { HttpClient, Visitors, type RequestRecord } from "./http.ts";
import { McpClients, type McpReport } from "./mcp.ts";
import { Pacer } from "./pacer.ts";
import type { Reach } from "./reach.ts";
import { WebSocketUsers, type WebSocketReport } from "./websockets.ts";

/** What the load is, and where it goes. */
export interface LoadOptions extends Reach {
  readonly routerUrl: string;
  readonly webSocketUrl: string;
  /** Bearer token of the WebSockets, where the server wants one. */
  readonly webSocketToken?: string;
  readonly requestsPerSecond: number;
  readonly webSockets: number;
  readonly mcpSessions: number;
  /** Seconds between two messages of a WebSocket's user. @default 1 */
  readonly messageSeconds?: number;
  /** Seconds between two calls of an MCP session. @default 0.5 */
  readonly callSeconds?: number;
  /** WebSockets a second that are closed by their users, who open another one. @default 0 */
  readonly renewalsPerSecond?: number;
}

/** What the users of the load saw. */
export interface LoadReport {
  readonly requests: readonly RequestRecord[];
  readonly webSockets: WebSocketReport;
  readonly mcp: McpReport;
  /** Whether the load itself kept up. */
  readonly generator: {
    /** Share of the time in which its thread was busy. */
    readonly utilization: number;
    /** How late work began after it was due, milliseconds. */
    readonly late: { readonly p50: number; readonly p99: number };
  };
}

/** Users of the router, at constant rates independent of the responses. Runs until {@link Load.stop}. */
export class Load {
  readonly #options: LoadOptions;
  readonly #client: HttpClient;
  readonly #visitors: Visitors;
  readonly #webSockets: WebSocketUsers;
  readonly #mcp: McpClients;
  #pacer: Pacer | undefined;
  #utilization = performance.eventLoopUtilization();

  constructor(options: LoadOptions) {
    const { routerUrl, webSocketUrl, webSocketToken, address } = options;
    const reach = address === undefined ? {} : { address };
    this.#options = options;
    this.#client = new HttpClient(routerUrl, reach);
    this.#visitors = new Visitors(this.#client);
    const token = webSocketToken === undefined ? {} : { token: webSocketToken };
    this.#webSockets = new WebSocketUsers({ url: webSocketUrl, ...token, ...reach }, options.webSockets);
    this.#mcp = new McpClients(this.#client, options.mcpSessions);
  }

  /** Connects everyone, then starts the rates. */
  async start(): Promise<void> {
    const { requestsPerSecond, webSockets, mcpSessions, messageSeconds = 1, callSeconds = 0.5 } = this.#options;
    await Promise.all([this.#webSockets.start(), this.#mcp.start()]);
    this.#utilization = performance.eventLoopUtilization();
    const pacer = new Pacer();
    this.#pacer = pacer;
    pacer.every(requestsPerSecond, () => {
      this.#visitors.visit();
    });
    pacer.every(webSockets / messageSeconds, () => {
      this.#webSockets.speak();
    });
    pacer.every(webSockets === 0 ? 0 : (this.#options.renewalsPerSecond ?? 0), () => {
      this.#webSockets.renew();
    });
    pacer.every(mcpSessions / callSeconds, () => {
      this.#mcp.call();
    });
  }

  /** Lets everyone finish what they have begun, and closes. */
  async stop(): Promise<LoadReport> {
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    this.#pacer?.stop();
    while (this.#visitors.inFlight + this.#mcp.inFlight > 0) await sleep(10);
    const [webSockets, mcp] = [await this.#webSockets.stop(), await this.#mcp.stop()];
    this.#client.close();
    const late = { p50: this.#pacer?.late(0.5) ?? NaN, p99: this.#pacer?.late(0.99) ?? NaN };
    return { requests: this.#visitors.records, webSockets, mcp, generator: { utilization, late } };
  }
}
