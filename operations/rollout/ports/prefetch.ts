import type { SchemaState } from "../../schema/state.ts";
import type { Readiness } from "../model/machine.ts";

/** How long an answer counts, milliseconds from the question on: the router checks its slots once per second. */
const FRESH_MS = 1000;

/** A question that was asked before anybody needs the answer. */
export class Asked<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #askedAt = performance.now();
  readonly #first: Promise<Answer>;

  /** Asks at once. */
  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask;
    this.#first = ask();
    // Whoever has no use for the answer need not hear that there is none.
    this.#first.catch(() => undefined);
  }

  /** The answer; asked again where the question is old, or where there was no answer. */
  answer(): Promise<Answer> {
    const old = performance.now() - this.#askedAt > FRESH_MS;
    return old ? this.#ask() : this.#first.catch(() => this.#ask());
  }
}

/**
 * What a rollback has to know before the users move, asked as early as there is somebody to ask: router and database may
 * be as busy as the users are badly served.
 */
export interface Ahead {
  readonly readiness: Asked<Readiness>;
  /** Absent: nobody asked yet, or the stack has no database. */
  readonly schema?: Asked<SchemaState>;
}
