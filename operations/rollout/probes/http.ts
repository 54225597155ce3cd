import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../contract/slots.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import type { SlotAccess } from "../ports/access.ts";
import type { ProbedAnswers } from "../gates/observation.ts";
import { McpProbe } from "./mcp.ts";

/** One of so many probes opens an MCP session with its event stream and ends it. */
const MCP_EVERY = 10;

/** One of so many probes is a timed health check, which a server answers without work. */
const HEALTH_EVERY = 3;

/** Seconds of a bin. */
const BIN_SECONDS = 2;

/** Seconds that a probe may take: longer than any latency limit, so that a slow answer counts as slow. */
const PROBE_SECONDS = 15;

/**
 * Tops up thin traffic: sends the same requests to both slots at the same moments with a probe's token. The router counts
 * them separately, and the gates read them there. Counted here are the time of health checks and refused
 * requests, since the router cannot compare like requests of users.
 */
export class Prober {
  readonly #routerUrl: string;
  readonly #access: SlotAccess;
  readonly #slots: readonly Slot[];
  readonly #stop = new AbortController();
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #health: Record<Slot, TimedProbe[]> = { blue: [], green: [] };
  readonly #bins = new Map<number, Record<Slot, Answers>>();
  #perSecond = 0;
  #sent = 0;

  constructor(routerUrl: string, access: SlotAccess, slots: readonly Slot[]) {
    this.#routerUrl = routerUrl;
    this.#access = access;
    this.#slots = slots;
    void this.#run();
  }

  /** Probes sent to each slot so far. */
  get sent(): number {
    return this.#sent;
  }

  /** Sets the rate for each slot. */
  aim(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  /** Milliseconds of the health checks since a moment (seconds of `performance.now()`), oldest first; drops older ones. */
  health(slot: Slot, since: number): readonly number[] {
    this.#health[slot] = this.#health[slot].filter(({ at }) => at >= since);
    return this.#health[slot].map(({ milliseconds }) => milliseconds);
  }

  /** Answers since a moment (seconds of `performance.now()`), oldest first; drops older ones. */
  answers(since: number): readonly ProbedAnswers[] {
    for (const bin of this.#bins.keys()) if (bin * BIN_SECONDS < since) this.#bins.delete(bin);
    return [...this.#bins.values()].map(({ blue, green }) => ({ blue: { ...blue }, green: { ...green } }));
  }

  /** Stops at once and aborts probes in flight. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#inFlight);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const rate = this.#perSecond;
      if (rate > 0) {
        this.#sent += 1;
        const probe = Promise.allSettled(this.#slots.map((slot) => this.#probe(slot, this.#sent)));
        this.#inFlight.add(probe);
        void probe.then(() => this.#inFlight.delete(probe));
      }
      await sleep(rate > 0 ? 1000 / rate : 100, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #probe(slot: Slot, index: number): Promise<void> {
    if (index % MCP_EVERY === 0) {
      // Not aborted by stop: a session that is not ended would delay the drain of its slot.
      void this.#probeMcp(slot).catch(() => undefined);
      return;
    }
    const signal = (): AbortSignal => AbortSignal.any([this.#stop.signal, AbortSignal.timeout(PROBE_SECONDS * 1000)]);
    if (index % HEALTH_EVERY === 0) {
      const started = performance.now();
      const response = await fetch(new URL(SERVER_PATHS.health, this.#routerUrl), {
        headers: await this.#access.probe(slot),
        signal: signal(),
      });
      await response.arrayBuffer();
      this.#answered(slot, response.status);
      this.#health[slot].push({ at: performance.now() / 1000, milliseconds: performance.now() - started });
      return;
    }
    const url = new URL(index % 2 === 0 ? SERVER_PATHS.apiMetrics : SERVER_PATHS.dashboard, this.#routerUrl);
    const response = await fetch(url, { headers: await this.#access.probe(slot), signal: signal() });
    await response.arrayBuffer();
    this.#answered(slot, response.status);
  }

  async #probeMcp(slot: Slot): Promise<void> {
    const signal = (): AbortSignal => AbortSignal.timeout(PROBE_SECONDS * 1000);
    const session = new McpProbe(this.#routerUrl, await this.#access.probe(slot), signal, (status) => {
      this.#answered(slot, status);
    });
    await session.initialize();
    try {
      await session.listen();
    } finally {
      await session.end();
    }
  }

  #answered(slot: Slot, status: number): void {
    const index = Math.floor(performance.now() / 1000 / BIN_SECONDS);
    const bin = this.#bins.get(index) ?? { blue: { answered: 0, refused: 0 }, green: { answered: 0, refused: 0 } };
    this.#bins.set(index, bin);
    bin[slot].answered += 1;
    if (status >= 400 && status < 500) bin[slot].refused += 1;
  }
}

interface Answers {
  answered: number;
  refused: number;
}

interface TimedProbe {
  readonly at: number;
  readonly milliseconds: number;
}
