import { Agent, request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { isSlot, type Slot } from "../../../contract/slots.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";

/** One request of a user. */
export interface UserRequest {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly servedBy: Slot | undefined;
}

/** Where users find a gateway. */
export interface GatewayPlace {
  readonly address: string;
  readonly hostname: string;
  /** @default 443 */
  readonly port?: number;
}

/** Users of a cluster's gateway: a constant rate of requests until they are stopped. */
export class KubernetesUsers {
  readonly requests: UserRequest[] = [];
  readonly #place: GatewayPlace;
  readonly #agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(place: GatewayPlace, perSecond: number) {
    this.#place = place;
    this.#done = this.#run(perSecond);
  }

  /** Requests that were not answered with 200. */
  get failed(): readonly UserRequest[] {
    return this.requests.filter(({ status }) => status !== 200);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.#agent.destroy();
  }

  async #run(perSecond: number): Promise<void> {
    const inFlight = new Set<Promise<void>>();
    while (!this.#stop.signal.aborted) {
      const one = this.#request().then((made) => {
        this.requests.push(made);
        inFlight.delete(one);
      });
      inFlight.add(one);
      await sleep(1000 / perSecond, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
    await Promise.all(inFlight);
  }

  #request(): Promise<UserRequest> {
    const { address, hostname, port } = this.#place;
    return new Promise((resolve) => {
      const startedAt = Date.now();
      const end = (status: number, slot?: unknown): void => {
        resolve({ startedAt, status, servedBy: typeof slot === "string" && isSlot(slot) ? slot : undefined });
      };
      const outgoing = request(
        {
          host: address,
          port,
          servername: hostname,
          path: SERVER_PATHS.health,
          headers: { host: hostname },
          agent: this.#agent,
          timeout: 15_000,
        },
        (response) => {
          response.resume();
          response.on("end", () => {
            end(response.statusCode ?? 0, response.headers[HEADERS.servedBy]);
          });
          response.on("error", () => {
            end(0);
          });
        },
      );
      outgoing.on("timeout", () => outgoing.destroy());
      outgoing.on("error", () => {
        end(0);
      });
      outgoing.end();
    });
  }
}
