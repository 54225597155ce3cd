import { setTimeout as sleep } from "node:timers/promises";
import type { Parcel } from "./channel.ts";

/** Times of a delivery, in seconds. */
export interface DeliveryTimes {
  /** A try without a whole answer ends here. @default 5 */
  readonly attemptSeconds: number;
  /** The first pause between two tries; each later one may be twice as long. @default 0.5 */
  readonly pauseSeconds: number;
  /** The longest pause. @default 30 */
  readonly longestPauseSeconds: number;
  /** From the first try on; what has not arrived by then is given up. @default 300 */
  readonly deadlineSeconds: number;
}

export const DELIVERY_TIMES: DeliveryTimes = {
  attemptSeconds: 5,
  pauseSeconds: 0.5,
  longestPauseSeconds: 30,
  deadlineSeconds: 300,
};

/** How a delivery ended. The reason names no address and repeats no secret. */
export type Delivery =
  | { readonly outcome: "delivered" }
  | { readonly outcome: "failed"; readonly reason: string }
  /** The signal came first. */
  | { readonly outcome: "stopped"; readonly reason: string };

type Attempt =
  | { readonly outcome: "delivered" }
  /** Another try would be answered the same. */
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "again"; readonly reason: string; readonly afterSeconds?: number };

/** Sends a parcel until it is taken, refused, or too late. Never throws. */
export async function deliver(
  pack: (now: number) => Parcel | Promise<Parcel>,
  times: DeliveryTimes,
  signal: AbortSignal,
): Promise<Delivery> {
  const deadline = performance.now() + times.deadlineSeconds * 1000;
  const stopped = () => signal.aborted;
  let reason = "not tried yet";
  for (let tries = 0; ; tries += 1) {
    if (stopped()) return { outcome: "stopped", reason };
    let parcel: Parcel;
    try {
      parcel = await pack(Date.now());
    } catch (error) {
      return { outcome: "failed", reason: error instanceof Error ? error.message : String(error) };
    }
    if (stopped()) return { outcome: "stopped", reason };
    const attempt = await send(parcel, times.attemptSeconds, signal);
    if (attempt.outcome === "delivered") return attempt;
    if (attempt.outcome === "refused") return { outcome: "failed", reason: attempt.reason };
    if (!stopped()) ({ reason } = attempt);
    const pause = (attempt.afterSeconds ?? backoff(tries, times)) * 1000;
    if (performance.now() + pause > deadline) return { outcome: "failed", reason };
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** Between half and the whole of a pause that doubles: many senders do not come back at once. */
function backoff(tries: number, { pauseSeconds, longestPauseSeconds }: DeliveryTimes): number {
  return Math.min(longestPauseSeconds, pauseSeconds * 2 ** tries) * (0.5 + Math.random() / 2);
}

async function send(parcel: Parcel, attemptSeconds: number, signal: AbortSignal): Promise<Attempt> {
  const limit = AbortSignal.timeout(attemptSeconds * 1000);
  try {
    const response = await fetch(parcel.url, {
      method: "POST",
      headers: parcel.headers,
      body: parcel.body,
      // What is meant for one address goes to no other.
      redirect: "manual",
      signal: AbortSignal.any([signal, limit]),
    });
    if (response.ok) {
      await response.body?.cancel();
      return { outcome: "delivered" };
    }
    const reason = `HTTP ${String(response.status)}${await word(response)}`;
    const { status } = response;
    if (status !== 408 && status !== 425 && status !== 429 && status < 500) return { outcome: "refused", reason };
    const after = Number(response.headers.get("retry-after") ?? NaN);
    return { outcome: "again", reason, ...(after >= 0 ? { afterSeconds: after } : {}) };
  } catch (error) {
    return { outcome: "again", reason: limit.aborted ? `no answer within ${String(attemptSeconds)} s` : codeOf(error) };
  }
}

/** Slack says in one word why it refuses. Anything longer may repeat what was sent and is not for a log. */
async function word(response: Response): Promise<string> {
  const text = await response.text();
  return /^[a-z_]{1,40}$/.test(text) ? ` (${text})` : "";
}

/** `ECONNREFUSED` and the like: an error's message may hold the address. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : "no connection";
}
