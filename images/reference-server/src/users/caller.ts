import type { IncomingMessage } from "node:http";
import type { User } from "../database/database.ts";
import { verifyToken, type JwtKey } from "../jwt.ts";

/** Who sends a request: a user of a verified token, no user, or someone with a token that is not accepted. */
export type Caller =
  | { readonly kind: "user"; readonly user: User }
  | { readonly kind: "anonymous" }
  | { readonly kind: "refused"; readonly reason: string };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The caller by `Authorization: Bearer`. A token whose subject is not a UUID is valid and names no user; without keys no
 * token can be verified, and none is looked at.
 */
export function callerOf(request: Pick<IncomingMessage, "headers">, keys: readonly JwtKey[]): Caller {
  const token = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined || keys.length === 0) return { kind: "anonymous" };
  const verdict = verifyToken(token, keys, Date.now() / 1000);
  if (!verdict.valid) return { kind: "refused", reason: verdict.reason };
  const subject = verdict.subject?.toLowerCase() ?? "";
  return UUID.test(subject) ? { kind: "user", user: { id: subject } } : { kind: "anonymous" };
}

/** Whether two callers are the same user, or both none. */
export function sameUser(a: User | undefined, b: User | undefined): boolean {
  return a?.id === b?.id;
}
