import { createHash, createHmac, timingSafeEqual } from "node:crypto";

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

type JsonObject = Readonly<Record<string, unknown>>;

/** A compact JWT (RFC 7519), taken apart. Nothing of it is true until {@link Hs256Jwt.signedBy} is. */
export interface Hs256Jwt {
  /** Undefined if it is not a JSON object, as {@link claims}. */
  readonly header: JsonObject | undefined;
  readonly claims: JsonObject | undefined;
  /** Whether the key has signed it with HS256 (RFC 7518). */
  signedBy(key: string | Uint8Array): boolean;
}

/** Signs claims with HS256. @param header parameters in addition to `alg` and `typ` */
export function signJwt(claims: object, key: string | Uint8Array, header: object = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT", ...header })}.${part(claims)}`;
  return `${signed}.${hmac(signed, key).toString("base64url")}`;
}

/** Takes a token apart. @returns undefined if it does not have the three parts of a signed JWT */
export function readJwt(token: string): Hs256Jwt | undefined {
  const parts = token.split(".");
  const [header = "", claims = "", signature = ""] = parts;
  if (parts.length !== 3 || parts.some((part) => !/^[A-Za-z0-9_-]+$/.test(part))) return undefined;
  const given = Buffer.from(signature, "base64url");
  return {
    header: decoded(header),
    claims: decoded(claims),
    signedBy: (key) => {
      const expected = hmac(`${header}.${claims}`, key);
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}

function hmac(text: string, key: string | Uint8Array): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function decoded(part: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
