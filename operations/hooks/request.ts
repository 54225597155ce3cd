import type { HookEnd } from "../../contract/hooks.ts";
import { deliver, DELIVERY_TIMES } from "../notify/deliver.ts";
import { signedParcel } from "../notify/webhook.ts";
import { kept } from "./answer.ts";
import type { CallBody } from "./call-body.ts";

/** Seconds that an attempt may wait for its answer: Node's fetch itself waits no longer. */
const ATTEMPT_SECONDS = 300;

/** The longest pause between two attempts, seconds. */
const PAUSE_SECONDS = 5;

/**
 * Posts a signed body until it is accepted or refused, or its time is over. No connection, 408, 425, 429 and 5xx are tried
 * again, after `Retry-After`: a receiver that needs time answers so until it has decided.
 */
export async function runRequest(
  url: string,
  secret: string,
  body: CallBody,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<Omit<HookEnd, "seconds">> {
  const times = {
    attemptSeconds: Math.min(timeoutSeconds, ATTEMPT_SECONDS),
    pauseSeconds: DELIVERY_TIMES.pauseSeconds,
    longestPauseSeconds: PAUSE_SECONDS,
    deadlineSeconds: timeoutSeconds,
  };
  const { id } = body.data;
  const delivery = await deliver((now) => signedParcel(url, secret, { id, body, now }), times, signal);
  signal.throwIfAborted();
  if (delivery.outcome === "stopped") return { outcome: "failed", why: "timeout" };
  const { reply } = delivery;
  const facts = { ...(reply === undefined ? {} : { status: reply.status }), ...kept(reply?.text ?? "", "start") };
  if (delivery.outcome === "delivered") return { outcome: "passed", why: "accepted", ...facts };
  if (!delivery.refused) return { outcome: "failed", why: "timeout", ...kept(delivery.reason, "start"), ...facts };
  const redirected = reply !== undefined && reply.status < 400;
  return { outcome: "failed", why: redirected ? "redirected" : "refused", ...facts };
}
