import { createHmac } from "node:crypto";
import type { Channel, Parcel } from "./channel.ts";

/** Any receiver of JSON. @param secret see {@link signedParcel} */
export function webhook(url: string, secret: string): Channel {
  return {
    name: "webhook",
    pack: (announcement, now) => {
      const { id, kind, at } = announcement;
      const body = { type: `rollout.${kind}`, timestamp: at, data: announcement };
      return signedParcel(url, secret, { id, body, now });
    },
  };
}

/**
 * A body as JSON, signed according to the Standard Webhooks specification (standardwebhooks.com), whose libraries verify it:
 * HMAC-SHA256 with the key over `<webhook-id>.<webhook-timestamp>.<body>`, in base64 after `v1,`. All attempts have the same
 * identifier; each has its own time.
 *
 * @param secret `whsec_` and the key in base64
 */
export function signedParcel(
  url: string,
  secret: string,
  { id, body, now }: { readonly id: string; readonly body: unknown; readonly now: number },
): Parcel {
  const text = JSON.stringify(body);
  const seconds = String(Math.floor(now / 1000));
  return {
    url,
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": seconds,
      "webhook-signature": signature(secret, id, seconds, text),
    },
    body: text,
  };
}

/** The value of `webhook-signature`; `seconds` since 1970. */
export function signature(secret: string, id: string, seconds: string, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`;
}
