import { RETRY_AFTER_SECONDS } from "../../../contract/server.ts";

/** Phases of a server's life, in their order. */
export type Phase = "starting" | "serving" | "lame-duck" | "draining";

/** The phase, shared by everything that answers requests. */
export class Lifecycle {
  #phase: Phase = "starting";

  get phase(): Phase {
    return this.#phase;
  }

  enter(phase: Phase): void {
    this.#phase = phase;
  }

  /** Whether SIGTERM came: connections are not kept alive any more. */
  get leaving(): boolean {
    return this.#phase === "lame-duck" || this.#phase === "draining";
  }

  /** Whether new WebSockets and MCP sessions are accepted. */
  get accepting(): boolean {
    return this.#phase === "serving" || this.#phase === "lame-duck";
  }
}

/**
 * Times at which `count` connections are closed, in milliseconds from now: evenly spread over the window, each at a
 * random place in its own part, so that clients neither come back at once nor in step. `random` gives 0 to 1.
 */
export function closingTimes(count: number, windowMs: number, random: () => number = Math.random): number[] {
  return Array.from({ length: count }, (_, index) => ((index + random()) * windowMs) / count);
}

/** Runs the action for every item, at the {@link closingTimes} of the window, in milliseconds. */
export function spread<T>(items: Iterable<T>, windowMs: number, action: (item: T) => void): void {
  const all = [...items];
  const times = closingTimes(all.length, windowMs);
  for (const [index, item] of all.entries()) setTimeout(action, times[index], item);
}

/** A `retry-after` for 503, in whole seconds: random, so that clients that were refused together do not come back together. */
export function retryAfter(random: () => number = Math.random): string {
  return String(1 + Math.floor(random() * RETRY_AFTER_SECONDS));
}
