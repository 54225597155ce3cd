import { ACCESS } from "../../../contract/envoy/access.ts";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { HEADERS } from "../../../contract/server.ts";
import type { RolloutContext } from "../ports/context.ts";

/** Longest life of a tester's token, in seconds: a week. */
export const LONGEST_SECONDS = 7 * 86_400;

/** Which slot a tester reaches: one of them, or the one without users. */
export type TesterSlot = Slot | "idle";

/** Access for a tester. Any client with the token reaches the slot until it expires. */
export interface TesterLink {
  readonly slot: Slot;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** For a browser: stores the token as a cookie, which its WebSockets carry too. */
  readonly url: string;
  /** For other clients: name and value of the header of HTTP, MCP and WebSocket requests. */
  readonly header: string;
  readonly token: string;
}

/**
 * Signs a token for a slot. Nothing is stored; a higher `exai:accessGeneration` revokes all tokens.
 *
 * @throws UserError if the time is too long, or no slot is idle
 */
export async function testerLink(
  context: RolloutContext,
  request: { readonly slot: TesterSlot; readonly seconds: number },
): Promise<TesterLink> {
  const { access, traffic } = context;
  const { seconds } = request;
  if (seconds > LONGEST_SECONDS)
    throw new UserError(
      "invalid-argument",
      "--ttl",
      "is longer than 7 days",
      fix`${command("rollout tester-link --ttl 168h")}`,
    );
  const slot = request.slot === "idle" ? idle((await traffic.inForce())?.weights) : request.slot;
  const token = await access.token(slot, "tester", seconds);
  return {
    slot,
    expiresAt: new Date(Date.now() + seconds * 1000).toISOString(),
    url: `${access.url}${ACCESS.page}#${token}`,
    header: `${HEADERS.access}: ${token}`,
    token,
  };
}

function idle(weights: Readonly<Record<Slot, number>> | undefined): Slot {
  const found = SLOTS.find((slot) => weights?.[slot] === 0);
  if (found !== undefined) return found;
  throw new UserError(
    "state-conflict",
    "--slot idle",
    weights === undefined ? "the router has no table" : "both slots have users",
    fix`${command("rollout tester-link --slot green")} (or blue)`,
  );
}
