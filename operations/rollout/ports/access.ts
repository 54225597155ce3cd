import type { KeyObject } from "node:crypto";
import { accessHeaders, accessToken, type Audience } from "../../../contract/envoy/access.ts";
import type { Slot } from "../../../contract/slots.ts";

/** Life of a probe's token in seconds: longer than any jump of this machine's clock, since only the rollout and the router see it. */
const PROBE_SECONDS = 86_400;

/** Seconds after which a probe gets a new token. */
const RENEW_SECONDS = 3600;

type Headers = Readonly<Record<string, string>>;

/** Signs the tokens with which testers and probes reach a slot. */
export class SlotAccess {
  /** Address of the router for users. */
  readonly url: string;
  readonly #key: () => KeyObject | Promise<KeyObject>;
  readonly #probes = new Map<Slot, { readonly at: number; readonly headers: Promise<Headers> }>();

  /** @param key the stack's key, read at the first use */
  constructor(url: string, key: () => KeyObject | Promise<KeyObject>) {
    this.url = url;
    this.#key = key;
  }

  /** Headers by which a probe reaches a slot. */
  probe(slot: Slot): Promise<Headers> {
    const now = performance.now() / 1000;
    const known = this.#probes.get(slot);
    if (known !== undefined && now - known.at < RENEW_SECONDS) return known.headers;
    const headers = this.token(slot, "probe", PROBE_SECONDS).then(accessHeaders);
    this.#probes.set(slot, { at: now, headers });
    headers.catch(() => this.#probes.delete(slot));
    return headers;
  }

  /** A token that is valid for so many seconds from now. */
  async token(slot: Slot, audience: Audience, seconds: number): Promise<string> {
    return accessToken(await this.#key(), { slot, audience, expires: Math.floor(Date.now() / 1000) + seconds });
  }
}
