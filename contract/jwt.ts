import { createHash } from "node:crypto";

/**
 * The keys that a slot accepts in a rotation of the JWT key; the first of them signs. `current` is the key that the stack
 * has, `next` its replacement.
 */
export const JWT_KEY_SETS = ["current", "current+next", "next+current", "next"] as const;
export type JwtKeySet = (typeof JWT_KEY_SETS)[number];

/** One of the two keys of a rotation. */
export type JwtKeyName = "current" | "next";

/** The keys of a set, the signing one first. */
export function keysOf(set: JwtKeySet): readonly JwtKeyName[] {
  return set.split("+") as JwtKeyName[];
}

/**
 * Identifier of a symmetric key for the header `kid` of its tokens: the thumbprint of RFC 7638 over the JWK. It reveals no
 * more about the key than a token that is signed with it.
 */
export function keyId(key: string | Uint8Array): string {
  const k = Buffer.from(key).toString("base64url");
  return createHash("sha256")
    .update(JSON.stringify({ k, kty: "oct" }))
    .digest("base64url");
}
