import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import type { ProbedRoundTrips, ProbedSeconds } from "../gates/observation.ts";
import type { SlotAccess } from "../ports/access.ts";

/** Milliseconds between two round trips on one connection, and between two connections. */
const PAUSE_MS = 250;

/** Round trips on a connection; then another one is opened, since a bad release may refuse new ones. */
const ROUND_TRIPS = 4;

/** Seconds after which an opening or a round trip counts as lost: far above any limit, so that a late one is only slow. */
const LOST_SECONDS = 10;

/** Status from which a refusal is a failure of the server, which the router counts. */
const FAILED_STATUS = 500;

/** Seconds of a bin. */
const BIN_SECONDS = 2;

/** How the WebSockets of both slots are probed. */
export interface RoundTripOptions {
  readonly webSocketUrl: string;
  readonly access: SlotAccess;
  readonly stable: Slot;
  /** Message sent with the ping frame; empty: none. */
  readonly message: string;
  readonly token?: () => string | Promise<string>;
}

/**
 * Tops up thin WebSocket traffic: opens connections to both slots with a probe's token and measures round trips
 * of a ping frame and, if the stable slot answers messages, of a message. The server measures its own pings on these
 * connections as on those of users. The router counts refusals with 500 and above. Other refusals are counted here: those of
 * users may be their own fault, those of probes are not.
 */
export class RoundTripProber {
  readonly #options: RoundTripOptions;
  readonly #stop = new AbortController();
  readonly #bins = new Map<number, Record<Slot, Probed>>();
  readonly #work: Promise<void>[] = [];
  #connections = 0;
  /** Whether the stable slot answers messages: then the candidate must as well. */
  #answersMessages = false;
  readonly #refusals: Partial<Record<Slot, number>> = {};

  constructor(options: RoundTripOptions) {
    this.#options = options;
  }

  /** Sets the number of connections to each slot. */
  aim(connections: number): void {
    this.#connections = connections;
    for (let index = this.#work.length / SLOTS.length; index < connections; index += 1)
      for (const slot of SLOTS) this.#work.push(this.#keep(slot, index));
  }

  /**
   * Measurements since a moment (seconds of `performance.now()`), oldest first; drops older ones.
   *
   * @param limit milliseconds above which a round trip is slow.
   */
  since(seconds: number, limit: number): readonly ProbedSeconds[] {
    for (const bin of this.#bins.keys()) if (bin * BIN_SECONDS < seconds) this.#bins.delete(bin);
    const counted = ({ milliseconds, lost, refused }: Probed): ProbedRoundTrips => ({
      done: milliseconds.length,
      slow: milliseconds.filter((each) => each > limit).length,
      lost,
      refused,
    });
    return [...this.#bins.values()].map(({ blue, green }) => ({ blue: counted(blue), green: counted(green) }));
  }

  /**
   * Milliseconds of the network delay to the servers and back: the fastest round trip of the stable slot. It is not the
   * servers' latency if the controller runs far from them.
   */
  get networkDelay(): number {
    const { stable } = this.#options;
    return Math.min(...[...this.#bins.values()].flatMap((bin) => bin[stable].milliseconds));
  }

  /** HTTP status with which a slot last refused a probe; undefined if it has refused none. */
  refusal(slot: Slot): number | undefined {
    return this.#refusals[slot];
  }

  /** Ends all connections. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#work);
  }

  async #keep(slot: Slot, index: number): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (index < this.#connections) {
        await this.#connection(slot).catch((error: unknown) => {
          if (!signal.aborted) this.#ended(slot, error);
        });
      }
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Counts a connection that ended early as lost or refused. */
  #ended(slot: Slot, error: unknown): void {
    if (!(error instanceof Refused)) {
      this.#now(slot).lost += 1;
      return;
    }
    this.#refusals[slot] = error.status;
    if (error.status < FAILED_STATUS) this.#now(slot).refused += 1;
  }

  async #connection(slot: Slot): Promise<void> {
    const token = await this.#options.token?.();
    const headers = {
      ...(await this.#options.access.probe(slot)),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const socket = new WebSocket(this.#options.webSocketUrl, { headers, handshakeTimeout: LOST_SECONDS * 1000 });
    const ended = new AbortController();
    const end = (reason: Error): void => {
      ended.abort(reason);
    };
    socket.on("unexpected-response", (request, response) => {
      request.destroy();
      end(new Refused(response.statusCode ?? FAILED_STATUS));
    });
    socket.on("error", end);
    socket.on("close", (code) => {
      end(new Error(`closed with ${String(code)}`));
    });
    const signal = AbortSignal.any([this.#stop.signal, ended.signal]);
    try {
      await rejecting(once(socket, "open", { signal }), signal);
      for (let count = 0; count < ROUND_TRIPS; count += 1) {
        if (count > 0) await rejecting(sleep(PAUSE_MS, undefined, { signal }), signal);
        const milliseconds = await this.#roundTrip(socket, slot, signal);
        this.#now(slot).milliseconds.push(milliseconds);
      }
      socket.close(1000);
      // The closing handshake has a second.
      await sleep(1000, undefined, { signal }).catch(() => undefined);
    } finally {
      socket.terminate();
    }
  }

  /** Milliseconds until the ping frame, and the message if messages are answered, are answered. */
  async #roundTrip(socket: WebSocket, slot: Slot, ended: AbortSignal): Promise<number> {
    const { message, stable } = this.#options;
    const signal = AbortSignal.any([ended, AbortSignal.timeout(LOST_SECONDS * 1000)]);
    const payload = Buffer.from(randomUUID());
    const pong = new Promise<void>((resolve) => {
      socket.on("pong", function back(data) {
        if (!data.equals(payload)) return;
        socket.off("pong", back);
        resolve();
      });
    });
    const answer = new Promise<void>((resolve) => {
      socket.once("message", () => {
        if (slot === stable) this.#answersMessages = true;
        resolve();
      });
    });
    const expected = message !== "" && this.#answersMessages;
    const sentAt = performance.now();
    if (message !== "") socket.send(message);
    socket.ping(payload);
    const back = Promise.all([pong, ...(expected ? [answer] : [])]);
    await Promise.race([back, aborted(signal)]);
    return performance.now() - sentAt;
  }

  #now(slot: Slot): Probed {
    const index = Math.floor(performance.now() / 1000 / BIN_SECONDS);
    const empty = (): Probed => ({ milliseconds: [], lost: 0, refused: 0 });
    const bin = this.#bins.get(index) ?? { blue: empty(), green: empty() };
    this.#bins.set(index, bin);
    return bin[slot];
  }
}

/** Round trips in a bin. */
interface Probed {
  readonly milliseconds: number[];
  lost: number;
  refused: number;
}

/** The server answered the opening with HTTP. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${String(status)}`);
    this.status = status;
  }
}

/** Rejects with the signal's reason instead of the AbortError that hides it. */
async function rejecting<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, "abort");
  throw signal.reason;
}
