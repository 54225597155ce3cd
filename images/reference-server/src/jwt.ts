import { keyId, readJwt } from "../../../contract/jwt.ts";
import { JWT_KEY_VARIABLES } from "../../../contract/server.ts";

/** What a key is for; see {@link JWT_KEY_VARIABLES}. */
export type KeyRole = keyof typeof JWT_KEY_VARIABLES;

/** All roles, the signing key's first. */
export const KEY_ROLES = Object.keys(JWT_KEY_VARIABLES) as readonly KeyRole[];

/** A key that tokens may be signed with. */
export interface JwtKey {
  readonly role: KeyRole;
  readonly secret: string | Uint8Array;
}

/** Result of a token check. `key` is the key of the signature, even if the token is refused for another reason. */
export type TokenVerdict =
  | { readonly valid: true; readonly subject?: string; readonly key: KeyRole }
  | { readonly valid: false; readonly reason: string; readonly key?: KeyRole };

/** Tolerated clock skew, in seconds. */
const CLOCK_SKEW_SECONDS = 5;

/** Whether a claim that holds a time (RFC 7519 NumericDate) is absent or a number. */
function isTimeOrAbsent(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === "number" && Number.isFinite(value));
}

/** The keys in the order of the checks: first the one that the token names. */
function inOrder(keys: readonly JwtKey[], kid: unknown): readonly JwtKey[] {
  const named = typeof kid === "string" ? keys.find(({ secret }) => keyId(secret) === kid) : undefined;
  // An unknown key id is not a reason to refuse: issuers may name keys as they like, or not at all.
  return named === undefined ? keys : [named, ...keys.filter((key) => key !== named)];
}

/**
 * Checks a compact JWT signed with HS256 (RFC 7515, RFC 7519) against the keys, the one that its `kid` names first.
 *
 * Only HS256 is accepted, regardless of the header, so `none` and asymmetric algorithms are refused. `exp` and `nbf` are
 * honoured; `nowSeconds` is the time since the epoch.
 */
export function verifyToken(token: string, keys: readonly JwtKey[], nowSeconds: number): TokenVerdict {
  const jwt = readJwt(token);
  if (jwt === undefined) return { valid: false, reason: "the token is not a signed JWT" };
  const { alg, crit, kid } = jwt.header ?? {};
  if (alg !== "HS256" || crit !== undefined) return { valid: false, reason: "the token is not signed with HS256" };
  const match = inOrder(keys, kid).find(({ secret }) => jwt.signedBy(secret));
  if (match === undefined) return { valid: false, reason: "the signature is wrong" };

  const key = match.role;
  if (!jwt.claims) return { valid: false, key, reason: "the claims are not a JSON object" };
  const { exp, nbf, sub } = jwt.claims;
  if (!isTimeOrAbsent(exp) || !isTimeOrAbsent(nbf)) return { valid: false, key, reason: "exp or nbf is not a number" };
  if (exp !== undefined && exp + CLOCK_SKEW_SECONDS <= nowSeconds)
    return { valid: false, key, reason: "the token has expired" };
  if (nbf !== undefined && nbf - CLOCK_SKEW_SECONDS > nowSeconds)
    return { valid: false, key, reason: "the token is not valid yet" };
  return typeof sub === "string" ? { valid: true, key, subject: sub } : { valid: true, key };
}
