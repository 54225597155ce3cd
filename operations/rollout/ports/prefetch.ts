import type { SchemaState } from "../../schema/state.ts";
import type { Readiness } from "../model/machine.ts";

/** How long an answer is valid, milliseconds from the request: the router checks its slots once per second. */
const FRESH_MS = 1000;

/** A request that is sent before its answer is needed. */
export class Prefetched<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #askedAt = performance.now();
  readonly #first: Promise<Answer>;

  /** Sends the request. */
  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask;
    this.#first = ask();
    // An error matters only to a caller of answer().
    this.#first.catch(() => undefined);
  }

  /** The answer. The request is sent again if the answer is old or an error. */
  answer(): Promise<Answer> {
    const old = performance.now() - this.#askedAt > FRESH_MS;
    return old ? this.#ask() : this.#first.catch(() => this.#ask());
  }
}

/**
 * What a rollback must know before it moves the users, requested as early as possible: during an incident, router and
 * database may be slow.
 */
export interface Prefetch {
  readonly readiness: Prefetched<Readiness>;
  /** Absent: not requested yet, or the stack has no database. */
  readonly schema?: Prefetched<SchemaState>;
}
