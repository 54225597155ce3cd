import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { isColour, type Colour } from "../../contract/colours.ts";
import { CLOSE_SERVICE_RESTART, HEADERS, SERVER_PATHS } from "../../contract/server.ts";
import { McpProbe, ProbeError } from "../../operations/rollout/mcp.ts";

/** What the load is, and where it goes. */
export interface LoadOptions {
  readonly routerUrl: string;
  readonly webSocketUrl: string;
  /** Bearer token of the WebSockets, where the server wants one. */
  readonly webSocketToken?: string;
  readonly requestsPerSecond: number;
  readonly webSockets: number;
  readonly mcpSessions: number;
}

/** One plain request. Times in milliseconds since 1970, with fractions. */
export interface RequestRecord {
  readonly startedAt: number;
  readonly milliseconds: number;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly servedBy: Colour | undefined;
}

/** What the users of the load saw. */
export interface LoadReport {
  readonly requests: readonly RequestRecord[];
  readonly webSockets: {
    readonly opened: number;
    readonly messages: number;
    /** Closed with 1012 by a slot that is replaced: the client reconnects, as it was asked to. */
    readonly restarted: number;
    /** Closed or cut in any other way. */
    readonly dropped: readonly string[];
    readonly refused: readonly string[];
  };
  readonly mcp: {
    readonly sessions: number;
    readonly calls: number;
    /** Calls answered by another colour than the one that opened the session. */
    readonly wrongColour: number;
    /** Sessions that were answered 404 and initialised again. */
    readonly initialisedAgain: number;
    readonly failed: readonly string[];
  };
}

/** Milliseconds since 1970 with fractions, comparable between the threads of a process. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/** Users of the router, at a constant rate whatever the answers are. Runs until {@link Load.stop}. */
export class Load {
  readonly #options: LoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #stop = new AbortController();
  readonly #work: Promise<void>[] = [];
  readonly #requests: RequestRecord[] = [];
  readonly #webSockets = { opened: 0, messages: 0, restarted: 0, dropped: [] as string[], refused: [] as string[] };
  readonly #mcp = { sessions: 0, calls: 0, wrongColour: 0, initialisedAgain: 0, failed: [] as string[] };

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Starts everyone; returns when all WebSockets and sessions have had their first answer. */
  async start(): Promise<void> {
    const { webSockets, mcpSessions } = this.#options;
    const first: Promise<void>[] = [];
    for (let index = 0; index < webSockets; index += 1) {
      first.push(new Promise((resolve) => this.#work.push(this.#webSocketUser(resolve))));
    }
    for (let index = 0; index < mcpSessions; index += 1) {
      first.push(new Promise((resolve) => this.#work.push(this.#mcpUser(index, resolve))));
    }
    await Promise.all(first);
    this.#work.push(this.#requestUsers());
  }

  async stop(): Promise<LoadReport> {
    this.#stop.abort();
    await Promise.all(this.#work);
    this.#agent.destroy();
    return { requests: this.#requests, webSockets: this.#webSockets, mcp: this.#mcp };
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  async #requestUsers(): Promise<void> {
    const interval = 1000 / this.#options.requestsPerSecond;
    const paths = [SERVER_PATHS.dashboard, SERVER_PATHS.apiMetrics];
    const inFlight = new Set<Promise<void>>();
    let due = performance.now();
    for (let count = 0; !this.#stopped(); count += 1) {
      const one = this.#request(paths[count % paths.length] ?? "/").then((record) => {
        this.#requests.push(record);
        inFlight.delete(one);
      });
      inFlight.add(one);
      due += interval;
      const wait = due - performance.now();
      if (wait > 1) await this.#pause(wait);
    }
    await Promise.all(inFlight);
  }

  #request(path: string): Promise<RequestRecord> {
    return new Promise((resolve) => {
      const startedAt = clock();
      const end = (status: number, servedBy: unknown): void => {
        const colour = typeof servedBy === "string" && isColour(servedBy) ? servedBy : undefined;
        resolve({ startedAt, milliseconds: clock() - startedAt, status, servedBy: colour });
      };
      const outgoing = request(new URL(path, this.#options.routerUrl), { agent: this.#agent }, (response) => {
        response.resume();
        response.on("end", () => {
          end(response.statusCode ?? 0, response.headers[HEADERS.servedBy]);
        });
        response.on("error", () => {
          end(0, undefined);
        });
      });
      outgoing.on("error", () => {
        end(0, undefined);
      });
      outgoing.setTimeout(30_000, () => outgoing.destroy());
      outgoing.end();
    });
  }

  async #webSocketUser(first: () => void): Promise<void> {
    while (!this.#stopped()) {
      await this.#oneWebSocket(first);
      if (!this.#stopped()) await this.#pause(50 + Math.random() * 200);
    }
    first();
  }

  /** One connection from its opening to its end. */
  #oneWebSocket(first: () => void): Promise<void> {
    const { webSocketUrl, webSocketToken } = this.#options;
    const headers = webSocketToken === undefined ? {} : { authorization: `Bearer ${webSocketToken}` };
    return new Promise((resolve) => {
      const socket = new WebSocket(webSocketUrl, { headers });
      let [open, timer]: [boolean, NodeJS.Timeout | undefined] = [false, undefined];
      let problem = "";
      const leave = (): void => {
        socket.close(1000);
      };
      this.#stop.signal.addEventListener("abort", leave, { once: true });
      const say = (): void => {
        if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ said: Date.now() }));
      };
      socket.on("open", () => {
        open = true;
        this.#webSockets.opened += 1;
        say();
        timer = setInterval(say, 1000);
      });
      socket.on("message", () => {
        this.#webSockets.messages += 1;
        first();
      });
      socket.on("error", (error) => (problem = error.message));
      socket.on("close", (code) => {
        clearInterval(timer);
        this.#stop.signal.removeEventListener("abort", leave);
        if (!this.#stopped()) {
          if (!open) this.#webSockets.refused.push(problem);
          else if (code === CLOSE_SERVICE_RESTART) this.#webSockets.restarted += 1;
          else this.#webSockets.dropped.push(`${String(code)} ${problem}`);
        }
        resolve();
      });
    });
  }

  async #mcpUser(index: number, first: () => void): Promise<void> {
    let session: McpProbe | undefined;
    while (!this.#stopped()) {
      try {
        if (session === undefined) {
          session = new McpProbe(this.#options.routerUrl, {}, () => AbortSignal.timeout(30_000));
          await session.initialize();
          this.#mcp.sessions += 1;
        }
        await session.request("tools/call", { name: "echo", arguments: { text: String(index) } });
        this.#mcp.calls += 1;
        if (session.session?.split(".")[0] !== session.servedBy) this.#mcp.wrongColour += 1;
        first();
      } catch (error) {
        const gone =
          error instanceof ProbeError && error.message.startsWith("HTTP 404") && session?.session !== undefined;
        if (gone) this.#mcp.initialisedAgain += 1;
        else this.#mcp.failed.push(describe(error));
        session = undefined;
      }
      await this.#pause(400 + Math.random() * 200);
    }
    await session?.end().catch(() => undefined);
    first();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
