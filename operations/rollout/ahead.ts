import type { SchemaState } from "../schema/state.ts";
import type { Readiness } from "./machine.ts";

/** How long an answer counts, milliseconds: the router checks its slots once per second. */
const FRESH_MS = 1000;

/** A question that was asked before anybody needs the answer. */
export class Asked<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #first: Promise<Answer>;
  #settledAt: number | undefined;

  /** Asks at once. */
  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask;
    this.#first = ask().finally(() => {
      this.#settledAt = performance.now();
    });
    // Whoever has no use for the answer need not hear that there is none.
    this.#first.catch(() => undefined);
  }

  /** The answer, or the lack of one; asked again where it is old. */
  answer(): Promise<Answer> {
    const old = this.#settledAt !== undefined && performance.now() - this.#settledAt > FRESH_MS;
    return old ? this.#ask() : this.#first;
  }
}

/**
 * What a rollback has to know before the users move, asked as early as there is somebody to ask: router and database may
 * be as busy as the users are badly served.
 */
export interface Ahead {
  readonly readiness: Asked<Readiness>;
  /** Absent: the stack has no database. */
  readonly schema?: Asked<SchemaState>;
}
