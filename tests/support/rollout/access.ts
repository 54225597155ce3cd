import type { IncomingHttpHeaders } from "node:http";
import { ACCESS, accessHeaders, accessKey } from "../../../contract/envoy/access.ts";
import { HEADERS } from "../../../contract/server.ts";
import type { Slot } from "../../../contract/slots.ts";
import { SlotAccess } from "../../../operations/rollout/ports/access.ts";

/** The secret of stacks that tests start, and the key from it. */
export const ACCESS_SECRET = "a secret of the tests";

/** Signs tokens for those stacks. */
export const TEST_ACCESS = new SlotAccess("http://127.0.0.1:8080", () => accessKey(ACCESS_SECRET, 1));

/** Headers of a tester with a link. */
export async function testerHeaders(slot: Slot, access = TEST_ACCESS): Promise<Record<string, string>> {
  return { ...accessHeaders(await access.token(slot, "tester", 3600)) };
}

/** The slot that a request's token names, for servers that stand in for a router. They do not verify it. */
export function slotOf(headers: IncomingHttpHeaders): Slot {
  const [, claims = ""] = String(headers[HEADERS.access]).split(".");
  const { [ACCESS.claim]: pin } = JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<string, string>;
  return pin?.split("-")[0] as Slot;
}
