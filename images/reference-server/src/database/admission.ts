import { clock, Refusal, type RefusalReason } from "./unavailable.ts";

/** Longest time that a request is expected to wait for a connection, in seconds: clients give up later than this. */
const WAIT_SECONDS = 5;

/** Latest time that is promised to a client, in seconds. Clients for which it would be later come at a random time of its second half. */
const PROMISE_SECONDS = 30;

/** Times that connections were held of which the median counts, for each place: a stall is forgotten after as many requests. */
const OBSERVED = 3;

/** The median before the first observation, in seconds. */
const FIRST_HOLD = 0.02;

interface Waiting {
  readonly admit: () => void;
}

/**
 * Who gets one of a number of places now, who waits, and who is asked to come back, and when. Requests wait in turn, as many as
 * memory allows and as the places serve within {@link WAIT_SECONDS}. The others get a time at which a place will be free, each the next
 * one: clients that come back at their time find one, and do not come back together.
 */
export class Admission {
  readonly #places: number;
  readonly #limit: number;
  readonly #now: () => number;
  readonly #reason: RefusalReason;
  readonly #waiting: Waiting[] = [];
  /** Start of each request that holds a place. */
  readonly #held = new Set<{ readonly since: number }>();
  /** How long the last places were held, in seconds, the newest last. */
  readonly #holds: number[] = [];
  /** Time of the last place that was promised to a client. */
  #promised = 0;

  /** @param limit most requests that wait @param now seconds @param reason of the refusals */
  constructor(places: number, limit: number, now: () => number = clock, reason: RefusalReason = "pool-full") {
    this.#reason = reason;
    this.#places = places;
    this.#limit = limit;
    this.#now = now;
  }

  get active(): number {
    return this.#held.size;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for a place; the result releases it. @throws Refusal
   */
  async enter(): Promise<() => void> {
    if (this.#held.size < this.#places) return this.#take();
    const wait = (this.#waiting.length + 1) / this.#rate();
    if (this.#waiting.length >= this.#limit || wait > WAIT_SECONDS)
      throw new Refusal(this.#reason, this.#promise(wait));
    return new Promise((resolve) => {
      this.#waiting.push({
        admit: () => {
          resolve(this.#take());
        },
      });
    });
  }

  /** A refusal with its time, for a request that has a place here and gets no connection: a pool that others share is full. */
  refusal(): Refusal {
    return new Refusal(this.#reason, this.#promise((this.#waiting.length + 1) / this.#rate()));
  }

  /** Requests that the places serve in a second: by the median time that one was held, or by those that are held longer now. */
  #rate(): number {
    const now = this.#now();
    let age = 0;
    for (const { since } of this.#held) age += now - since;
    const median = [...this.#holds].sort((a, b) => a - b)[Math.floor(this.#holds.length / 2)] ?? FIRST_HOLD;
    return this.#places / Math.max(median, this.#held.size === 0 ? 0 : age / this.#held.size, 0.001);
  }

  /** Seconds until the next place that no one waits for and that was promised to no other client. */
  #promise(wait: number): number {
    const now = this.#now();
    const next = Math.max(this.#promised, now + wait) + 1 / this.#rate();
    if (next - now > PROMISE_SECONDS) return (PROMISE_SECONDS * (1 + Math.random())) / 2;
    this.#promised = next;
    return next - now;
  }

  #take(): () => void {
    const place = { since: this.#now() };
    this.#held.add(place);
    return () => {
      if (!this.#held.delete(place)) return;
      this.#holds.push(this.#now() - place.since);
      if (this.#holds.length > OBSERVED * this.#places) this.#holds.shift();
      this.#waiting.shift()?.admit();
    };
  }
}
