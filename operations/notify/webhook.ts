import { createHmac } from "node:crypto";
import type { Channel } from "./channel.ts";

/**
 * Any receiver of JSON, signed according to the Standard Webhooks specification (standardwebhooks.com), whose libraries
 * verify it: HMAC-SHA256 with the key over `<webhook-id>.<webhook-timestamp>.<body>`, in base64 after `v1,`. All attempts
 * have the same identifier; each has its own time.
 *
 * @param secret `whsec_` and the key in base64
 */
export function webhook(url: string, secret: string): Channel {
  return {
    name: "webhook",
    pack: (announcement, now) => {
      const { id, kind, at } = announcement;
      const body = JSON.stringify({ type: `rollout.${kind}`, timestamp: at, data: announcement });
      const seconds = String(Math.floor(now / 1000));
      return {
        url,
        headers: {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": seconds,
          "webhook-signature": signature(secret, id, seconds, body),
        },
        body,
      };
    },
  };
}

/** The value of `webhook-signature`; `seconds` since 1970. */
export function signature(secret: string, id: string, seconds: string, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`;
}
