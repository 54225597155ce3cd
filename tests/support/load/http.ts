import { Agent, request, type OutgoingHttpHeaders } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { isSlot, type Slot } from "../../../contract/slots.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { clock } from "./clock.ts";
import { reachOptions, type Reach } from "./reach.ts";

/** One plain request. Times in milliseconds since 1970, with fractions. */
export interface RequestRecord {
  readonly startedAt: number;
  readonly milliseconds: number;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly servedBy: Slot | undefined;
}

/** What came back. */
export interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  readonly servedBy: Slot | undefined;
  readonly session: string | undefined;
  readonly body: string;
}

/** How long a request may take before it counts as unanswered, milliseconds. */
const PATIENCE_MS = 30_000;

/** A keep-alive client that costs little: no try again, no redirects, and the body only where it is asked for. */
export class HttpClient {
  readonly #agent: Agent;
  readonly #request: typeof request;
  readonly #target: { readonly host: string; readonly port: string };

  constructor(url: string, reach: Reach = {}) {
    const { protocol, hostname, port } = new URL(url);
    const options = { keepAlive: true, maxSockets: 512, scheduling: "lifo", ...reachOptions(reach) } as const;
    [this.#agent, this.#request] =
      protocol === "https:" ? [new TlsAgent(options), tlsRequest] : [new Agent(options), request];
    this.#target = { host: hostname, port };
  }

  /** Calls back exactly once. */
  send(
    {
      method,
      path,
      headers = {},
      body,
    }: { method: string; path: string; headers?: OutgoingHttpHeaders; body?: string },
    done: (answer: Answer) => void,
  ): void {
    let over = false;
    const end = (answer: Answer): void => {
      if (over) return;
      over = true;
      done(answer);
    };
    const none = (error?: Error): void => {
      end({ status: 0, servedBy: undefined, session: undefined, body: error?.message ?? "no answer" });
    };
    const outgoing = this.#request({ ...this.#target, agent: this.#agent, method, path, headers }, (response) => {
      let text = "";
      if (body === undefined) response.resume();
      else response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", none).on("end", () => {
        const slot = response.headers[HEADERS.servedBy];
        const session = response.headers[HEADERS.mcpSessionId];
        end({
          status: response.statusCode ?? 0,
          servedBy: typeof slot === "string" && isSlot(slot) ? slot : undefined,
          session: typeof session === "string" ? session : undefined,
          body: text,
        });
      });
      response.on("close", none); // cut in the middle of the body
    });
    outgoing.on("error", none);
    outgoing.setTimeout(PATIENCE_MS, () => outgoing.destroy(new Error(`no answer in ${String(PATIENCE_MS)} ms`)));
    outgoing.end(body);
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Visitors of the dashboard: plain requests, each recorded. */
export class Visitors {
  readonly records: RequestRecord[] = [];
  readonly #client: HttpClient;
  #count = 0;
  #inFlight = 0;

  constructor(client: HttpClient) {
    this.#client = client;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  visit(): void {
    const path = this.#count++ % 2 === 0 ? SERVER_PATHS.dashboard : SERVER_PATHS.apiMetrics;
    const startedAt = clock();
    this.#inFlight += 1;
    this.#client.send({ method: "GET", path }, ({ status, servedBy }) => {
      this.#inFlight -= 1;
      this.records.push({ startedAt, milliseconds: clock() - startedAt, status, servedBy });
    });
  }
}

/** Requests that failed for the user: no answer, or 500 and above. */
export function failures(requests: readonly RequestRecord[]): readonly RequestRecord[] {
  return requests.filter((record) => record.status === 0 || record.status >= 500);
}
