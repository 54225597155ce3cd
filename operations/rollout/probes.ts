import { setTimeout as sleep } from "node:timers/promises";
import type { Colour } from "../../contract/colours.ts";
import { SERVER_PATHS } from "../../contract/server.ts";
import { McpProbe } from "./mcp.ts";
import { testerHeaders } from "./smoke.ts";

/** Every so many probes, one opens an MCP session and ends it. */
const MCP_EVERY = 10;

/** How long a probe may take, seconds: longer than any latency limit, so that a slow answer is counted as slow. */
const PROBE_SECONDS = 15;

/**
 * Tops up thin traffic: requests to one colour through the tester's header, as many per second as are missing. They
 * count in the router's series like those of users, and the gates read them there. What a probe is answered is not
 * looked at here: one judge is enough.
 */
export class Prober {
  readonly #routerUrl: string;
  readonly #colour: Colour;
  readonly #stop = new AbortController();
  readonly #inFlight = new Set<Promise<void>>();
  #perSecond = 0;
  #sent = 0;

  constructor(routerUrl: string, colour: Colour) {
    this.#routerUrl = routerUrl;
    this.#colour = colour;
    void this.#run();
  }

  /** Probes sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Sets the rate. */
  aim(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  /** Stops at once; probes in flight are given up. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#inFlight);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const rate = this.#perSecond;
      if (rate > 0) {
        const probe = this.#probe().catch(() => undefined);
        this.#inFlight.add(probe);
        void probe.then(() => this.#inFlight.delete(probe));
      }
      await sleep(rate > 0 ? 1000 / rate : 100, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #probe(): Promise<void> {
    this.#sent += 1;
    const signal = (): AbortSignal => AbortSignal.any([this.#stop.signal, AbortSignal.timeout(PROBE_SECONDS * 1000)]);
    if (this.#sent % MCP_EVERY === 0) {
      const session = new McpProbe(this.#routerUrl, testerHeaders(this.#colour), signal);
      await session.initialize();
      await session.end();
      return;
    }
    const url = new URL(this.#sent % 2 === 0 ? SERVER_PATHS.apiMetrics : SERVER_PATHS.dashboard, this.#routerUrl);
    const response = await fetch(url, { headers: testerHeaders(this.#colour), signal: signal() });
    await response.arrayBuffer();
  }
}
