import { createPrivateKey, createPublicKey, hkdfSync, randomUUID, sign, type KeyObject } from "node:crypto";
import { keyId } from "../jwt.ts";
import { HEADERS } from "../server.ts";
import type { Slot } from "../slots.ts";

/**
 * Access to one slot for any weights. It needs a token (JWT, RFC 7519) that is signed with the stack's key for access by
 * Ed25519 (RFC 8037). The router verifies it with the public key, so neither its configuration nor a slot has a key that signs.
 */

/** `tester`: a person. `probe`: the rollout itself, whose requests the gates count. */
export const AUDIENCES = ["tester", "probe"] as const;
export type Audience = (typeof AUDIENCES)[number];

export const ACCESS = {
  issuer: "exai-rollout",
  /** Claim with the slot and the audience, which the router copies to the header {@link HEADERS.pinned}. */
  claim: "pin",
  /** Cookie that carries a token: browsers send no other header with a WebSocket. */
  cookie: "exai-tester",
  /** The router's page that sets the cookie from the address' fragment, which no browser sends. Without one it deletes the cookie. */
  page: "/.exai/tester",
} as const;

/** Value of the header {@link HEADERS.pinned} and of the claim. */
export function pinOf(slot: Slot, audience: Audience): string {
  return `${slot}-${audience}`;
}

/**
 * The private key of a stack, from the secret that the stack generated. A higher generation gives another key, so that every
 * token of the last one is refused.
 */
export function accessKey(secret: string, generation: number): KeyObject {
  const seed = hkdfSync("sha256", secret, "", `exai access ${String(generation)}`, 32);
  // PKCS #8 of an Ed25519 key (RFC 8410) is this prefix and the seed.
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
  return createPrivateKey({ key: Buffer.concat([prefix, Buffer.from(seed)]), format: "der", type: "pkcs8" });
}

/** The private key as text (PEM), for a Secret. */
export function accessKeyText(secret: string, generation: number): string {
  return accessKey(secret, generation).export({ format: "pem", type: "pkcs8" }).toString();
}

/** The public key as a JWK set (RFC 7517), for the router. */
export function accessKeys(secret: string, generation: number): string {
  const jwk = createPublicKey(accessKey(secret, generation)).export({ format: "jwk" });
  return JSON.stringify({ keys: [{ ...jwk, alg: "EdDSA", use: "sig", kid: keyId(jwk.x ?? "") }] });
}

/** What a token grants. */
export interface Grant {
  readonly slot: Slot;
  readonly audience: Audience;
  /** Seconds since 1970 at which it expires; the router allows for a minute of clock skew. */
  readonly expires: number;
}

/** A signed token. */
export function accessToken(key: KeyObject, { slot, audience, expires }: Grant): string {
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: ACCESS.issuer, [ACCESS.claim]: pinOf(slot, audience), exp: expires, jti: randomUUID() };
  const signed = `${part({ alg: "EdDSA", typ: "JWT", kid: keyId(x) })}.${part(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

/** The page behind {@link ACCESS.page}. The token stays in the browser: a fragment is in no request, log or Referer header. */
export const ACCESS_PAGE = `<!doctype html><meta charset="utf-8"><title>Tester access</title><script>
const token = location.hash.slice(1);
const claims = token === "" ? { exp: 0 } : JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
document.cookie = "${ACCESS.cookie}=" + token + "; Path=/; SameSite=Strict; Expires=" + new Date(claims.exp * 1000).toUTCString() +
  (location.protocol === "https:" ? "; Secure" : "");
location.replace("/");
</script>
`;

/** Headers of a request with a token. */
export function accessHeaders(token: string): Readonly<Record<string, string>> {
  return { [HEADERS.access]: token };
}
