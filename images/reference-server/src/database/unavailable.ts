import { performance } from "node:perf_hooks";

/** Why a request is refused: something is full or does not answer, the process stops, or the user has used up a limit. */
export type RefusalReason =
  | "pool-full"
  | "database-down"
  | "uploads-full"
  | "store-down"
  | "provider-down"
  | "stopping"
  | "rate-limit"
  | "open-uploads";

/** A request that can be repeated later. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly reason: RefusalReason;
  /** Seconds until a repetition is expected to succeed. */
  readonly retryAfter: number;

  constructor(reason: RefusalReason, retryAfter: number, options?: ErrorOptions) {
    super(`${PROBLEMS[reason]}; try again in ${String(Math.ceil(retryAfter))} s`, options);
    this.reason = reason;
    this.retryAfter = retryAfter;
  }

  get status(): 429 | 503 {
    return this.reason === "rate-limit" || this.reason === "open-uploads" ? 429 : 503;
  }
}

const PROBLEMS: Readonly<Record<RefusalReason, string>> = {
  "pool-full": "too many requests wait for the database",
  "database-down": "the database does not answer",
  "uploads-full": "too many uploads are sent at the same time",
  "store-down": "the object store does not answer",
  "provider-down": "the provider does not answer",
  stopping: "this server stops, and another one continues",
  "rate-limit": "too many requests",
  "open-uploads": "too many uploads are open: end or delete one",
};

/** The value of the header: whole seconds, rounded up, at least one. */
export function retryAfterHeader(refusal: Refusal): string {
  return String(Math.max(1, Math.ceil(refusal.retryAfter)));
}

/** Seconds on a clock that never goes back. */
export function clock(): number {
  return performance.now() / 1000;
}
