import type { ClaimPath } from "./terms.ts";

/** Claims of every token of Supabase that do not name one person or tenant, or that users can set. */
const COMMON = new Set([
  "aal",
  "amr",
  "app_metadata",
  "aud",
  "email",
  "exp",
  "iat",
  "is_anonymous",
  "iss",
  "jti",
  "nbf",
  "phone",
  "ref",
  "role",
  "user_metadata",
]);
/** Keys of `app_metadata` that every account has. */
const OF_EVERY_ACCOUNT = new Set(["provider", "providers"]);

/**
 * Whether a row can be tied to the caller by a claim: users cannot set it, and it does not have the same value for
 * all users. `sub` and `session_id` name one person; `app_metadata` and the claims of a token hook are set by the project.
 */
export function binds(path: ClaimPath): boolean {
  const [first = "", second] = path;
  if (first === "app_metadata") return second !== undefined && !OF_EVERY_ACCOUNT.has(second);
  return path.length > 0 && !COMMON.has(first);
}

const STAFF =
  /^(is_|super_?|site_|platform_|claims_|app_|global_)*(admin|admins|administrator|superuser|staff|moderator|operator|support|employee|root)$/i;

/** Whether a name and a value say that someone works for the project: `is_admin` true, `role` admin. */
export function isStaff(name: string, value: string): boolean {
  return value === "true" ? STAFF.test(name) : STAFF.test(value);
}
