import { createHmac, timingSafeEqual } from "node:crypto";

/** What a check of a token found. */
export type TokenVerdict =
  | { readonly valid: true; readonly subject?: string; readonly key: "current" | "previous" }
  | { readonly valid: false; readonly reason: string };

/** Difference of clocks that is forgiven, in seconds. */
const CLOCK_SKEW_SECONDS = 5;

function decodeJson(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a claim that holds a time (RFC 7519 NumericDate) is absent or a number. */
function isTimeOrAbsent(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === "number" && Number.isFinite(value));
}

/**
 * Checks a compact JWT signed with HS256 (RFC 7515, RFC 7519) against the keys, the current one first.
 *
 * Only HS256 is taken, whatever the header says, so `none` and asymmetric algorithms are refused. `exp` and `nbf` are
 * honoured; `nowSeconds` is the time since the epoch.
 */
export function verifyToken(token: string, keys: readonly (string | Uint8Array)[], nowSeconds: number): TokenVerdict {
  const parts = token.split(".");
  const [header = "", payload = "", signature = ""] = parts;
  if (parts.length !== 3 || parts.some((part) => !/^[A-Za-z0-9_-]+$/.test(part)))
    return { valid: false, reason: "the token is not a signed JWT" };
  const { alg, crit } = decodeJson(header) ?? {};
  if (alg !== "HS256" || crit !== undefined) return { valid: false, reason: "the token is not signed with HS256" };

  const given = Buffer.from(signature, "base64url");
  const match = keys.findIndex((key) => {
    const expected = createHmac("sha256", key).update(`${header}.${payload}`).digest();
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (match < 0) return { valid: false, reason: "the signature is wrong" };

  const claims = decodeJson(payload);
  if (!claims) return { valid: false, reason: "the claims are not a JSON object" };
  const { exp, nbf, sub } = claims;
  if (!isTimeOrAbsent(exp) || !isTimeOrAbsent(nbf)) return { valid: false, reason: "exp or nbf is not a number" };
  if (exp !== undefined && exp + CLOCK_SKEW_SECONDS <= nowSeconds)
    return { valid: false, reason: "the token has expired" };
  if (nbf !== undefined && nbf - CLOCK_SKEW_SECONDS > nowSeconds)
    return { valid: false, reason: "the token is not valid yet" };
  const key = match === 0 ? "current" : "previous";
  return typeof sub === "string" ? { valid: true, key, subject: sub } : { valid: true, key };
}
