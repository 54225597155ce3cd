import { setTimeout as sleep } from "node:timers/promises";

/** A failure that may pass: the peer is busy, restarts, or the connection broke. */
export class Transient extends Error {
  override readonly name = "Transient";
  /** Seconds that the peer asked for, by its `retry-after`. */
  readonly retryAfter: number | undefined;

  constructor(message: string, retryAfter?: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfter = retryAfter;
  }
}

/** How often something is tried, and the bounds of the pauses in seconds. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly first: number;
  readonly most: number;
}

/** What the tests of {@link retrying} replace. */
export interface RetryParts {
  readonly signal?: AbortSignal | undefined;
  readonly random?: () => number;
  readonly pause?: (seconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

/**
 * Seconds before the next try: random below a bound that doubles, so that what failed together does not come back together. A time
 * that the peer asked for comes first, with a random part after it; undefined if that is longer than anyone waits.
 */
export function pauseBefore(
  retry: number,
  error: Transient,
  { first, most }: RetryPolicy,
  random: () => number,
): number | undefined {
  const jitter = random() * Math.min(most, first * 2 ** (retry - 1));
  if (error.retryAfter === undefined) return jitter;
  return error.retryAfter > most ? undefined : error.retryAfter + jitter;
}

/** Repeats work that fails with {@link Transient}. `work` gets the number of its try, from 1. */
export async function retrying<Result>(
  policy: RetryPolicy,
  work: (attempt: number) => Promise<Result>,
  { signal, random = Math.random, pause = wait }: RetryParts = {},
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!(error instanceof Transient) || attempt >= policy.attempts) throw error;
      const seconds = pauseBefore(attempt, error, policy, random);
      if (seconds === undefined) throw error;
      await pause(seconds, signal);
    }
  }
}

async function wait(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(seconds * 1000, undefined, signal === undefined ? {} : { signal });
}

/** Statuses that say that the same request may succeed later. 409 and 423: another request holds the object. */
const PASSING: ReadonlySet<number> = new Set([408, 409, 423, 425, 429, 500, 502, 503, 504, 507]);

/** Whether a status says that the same request may succeed later. */
export function isPassing(status: number): boolean {
  return PASSING.has(status);
}

/** Seconds of a `retry-after`: a number, or a date (RFC 9110, section 10.2.3). */
export function retryAfterOf(headers: Headers, now: number = Date.now()): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
