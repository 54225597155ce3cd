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
  | { readonly outcome: "delivered"; readonly reply: Reply }
  /** `refused`: the receiver does not take it, and was not asked again. */
  | { readonly outcome: "failed"; readonly reason: string; readonly refused: boolean; readonly reply?: Reply }
  /** The signal aborted it. */
  | { readonly outcome: "stopped"; readonly reason: string; readonly reply?: undefined };

/** A response of the receiver. Its text may repeat what was sent. */
export interface Reply {
  readonly status: number;
  /** The first {@link REPLY_BYTES} bytes. */
  readonly text: string;
}

/** Bytes of a response that are read. */
const REPLY_BYTES = 4096;

type Attempt =
  | { readonly outcome: "delivered"; readonly reply: Reply }
  /** Another attempt would have the same result. */
  | { readonly outcome: "refused"; readonly reason: string; readonly reply: Reply }
  | { readonly outcome: "again"; readonly reason: string; readonly reply?: Reply; readonly afterSeconds?: number };

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
      return { outcome: "failed", refused: false, reason: error instanceof Error ? error.message : String(error) };
    }
    if (stopped()) return { outcome: "stopped", reason };
    const left = Math.max(1, Math.ceil(deadline - performance.now()));
    const attempt = await send(parcel, Math.min(times.attemptSeconds * 1000, left), signal);
    if (attempt.outcome === "delivered") return attempt;
    const reply = attempt.reply === undefined ? {} : { reply: attempt.reply };
    if (attempt.outcome === "refused") return { outcome: "failed", refused: true, reason: attempt.reason, ...reply };
    if (!stopped()) ({ reason } = attempt);
    const pause = (attempt.afterSeconds ?? backoff(tries, times)) * 1000;
    if (performance.now() + pause > deadline) return { outcome: "failed", refused: false, reason, ...reply };
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** A doubling pause with jitter, so that many senders do not retry at the same time. */
function backoff(tries: number, { pauseSeconds, longestPauseSeconds }: DeliveryTimes): number {
  return Math.min(longestPauseSeconds, pauseSeconds * 2 ** tries) * (0.5 + Math.random() / 2);
}

async function send(parcel: Parcel, limitMs: number, signal: AbortSignal): Promise<Attempt> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    const response = await fetch(parcel.url, {
      method: "POST",
      headers: parcel.headers,
      body: parcel.body,
      // A redirect could send the content to another address.
      redirect: "manual",
      signal: AbortSignal.any([signal, limit]),
    });
    const { status } = response;
    const reply = { status, text: await firstBytes(response) };
    if (response.ok) return { outcome: "delivered", reply };
    const reason = `HTTP ${String(status)}${reasonWord(reply.text)}`;
    if (status !== 408 && status !== 425 && status !== 429 && status < 500)
      return { outcome: "refused", reason, reply };
    const after = Number(response.headers.get("retry-after") ?? NaN);
    return { outcome: "again", reason, reply, ...(after >= 0 ? { afterSeconds: after } : {}) };
  } catch (error) {
    const reason = limit.aborted ? `no answer within ${String(Math.round(limitMs / 100) / 10)} s` : codeOf(error);
    return { outcome: "again", reason };
  }
}

/** The start of a body; the rest is not read, however long it is. */
async function firstBytes({ body }: Response): Promise<string> {
  if (body === null) return "";
  let bytes = Buffer.alloc(0);
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    bytes = Buffer.concat([bytes, chunk]);
    // Ends the iteration, which cancels the body.
    if (bytes.length >= REPLY_BYTES) break;
  }
  return bytes.subarray(0, REPLY_BYTES).toString("utf8");
}

/** Slack's reason for a refusal, which is one word. A longer text may repeat what was sent and must not be logged. */
function reasonWord(text: string): string {
  return /^[a-z_]{1,40}$/.test(text) ? ` (${text})` : "";
}

/** The code, e.g. `ECONNREFUSED`: an error's message may contain the address. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : "no connection";
}
