import { setTimeout as sleep } from "node:timers/promises";
import type { Parcel } from "./channel.ts";

/** Times of a delivery, in seconds. */
export interface DeliveryTimes {
  /** An attempt without a complete response ends after this. @default 5 */
  readonly attemptSeconds: number;
  /** The first pause between two attempts; each later one may be twice as long. @default 0.5 */
  readonly pauseSeconds: number;
  /** The longest pause. @default 30 */
  readonly longestPauseSeconds: number;
  /** From the first attempt until the delivery fails. @default 300 */
  readonly deadlineSeconds: number;
}

export const DELIVERY_TIMES: DeliveryTimes = {
  attemptSeconds: 5,
  pauseSeconds: 0.5,
  longestPauseSeconds: 30,
  deadlineSeconds: 300,
};

/** How a delivery ended. The reason contains no address and no secret. */
export type Delivery =
  | { readonly outcome: "delivered" }
  | { readonly outcome: "failed"; readonly reason: string }
  /** The signal aborted it. */
  | { readonly outcome: "stopped"; readonly reason: string };

type Attempt =
  | { readonly outcome: "delivered" }
  /** Another attempt would have the same result. */
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "again"; readonly reason: string; readonly afterSeconds?: number };

/** Sends a parcel until it is accepted, refused, or too late. Never throws. */
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

/** A doubling pause with jitter, so that many senders do not retry at the same time. */
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
      // A redirect could send the content to another address.
      redirect: "manual",
      signal: AbortSignal.any([signal, limit]),
    });
    if (response.ok) {
      await response.body?.cancel();
      return { outcome: "delivered" };
    }
    const reason = `HTTP ${String(response.status)}${await reasonWord(response)}`;
    const { status } = response;
    if (status !== 408 && status !== 425 && status !== 429 && status < 500) return { outcome: "refused", reason };
    const after = Number(response.headers.get("retry-after") ?? NaN);
    return { outcome: "again", reason, ...(after >= 0 ? { afterSeconds: after } : {}) };
  } catch (error) {
    return { outcome: "again", reason: limit.aborted ? `no answer within ${String(attemptSeconds)} s` : codeOf(error) };
  }
}

/** Slack's reason for a refusal, which is one word. A longer text may repeat what was sent and must not be logged. */
async function reasonWord(response: Response): Promise<string> {
  const text = await response.text();
  return /^[a-z_]{1,40}$/.test(text) ? ` (${text})` : "";
}

/** The code, e.g. `ECONNREFUSED`: an error's message may contain the address. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : "no connection";
}
