import type { IncomingMessage } from "node:http";
import { isApiKey, type ApiKeyScope } from "../../../../contract/secrets/api-key.ts";
import type { User } from "../database/database.ts";
import { verifyToken, type JwtKey } from "../jwt.ts";
import type { ApiKeys } from "./api-keys.ts";

/** Who sends a request: a user of a verified token or key, no user, or someone with a token or key that is not accepted. */
export type Caller =
  | { readonly kind: "user"; readonly user: User; /** Hash of the API key. */ readonly keyHash?: string }
  | { readonly kind: "anonymous" }
  | { readonly kind: "refused"; readonly status: 401 | 403; readonly reason: string };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** `Authorization: Bearer`, with a token or an API key. */
export function bearerOf({ headers }: Pick<IncomingMessage, "headers">): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
}

/** Finds out who sends requests. */
export class Callers {
  readonly #keys: readonly JwtKey[];
  readonly #apiKeys: ApiKeys | undefined;
  /** Interval at which the keys of open streams and WebSockets are looked up again, in milliseconds. */
  readonly checkMs: number;

  /** @param apiKeys absent without a database: no API key is accepted */
  constructor(keys: readonly JwtKey[], checkMs: number, apiKeys?: ApiKeys) {
    this.checkMs = checkMs;
    this.#keys = keys;
    this.#apiKeys = apiKeys;
  }

  /**
   * The caller by `Authorization: Bearer`. A token whose subject is not a UUID is valid and names no user; without keys no
   * token can be verified, and none is looked at.
   *
   * @param scope what an API key must be for
   * @throws Refusal if the database cannot say whose key it is
   */
  async of(request: Pick<IncomingMessage, "headers">, scope: ApiKeyScope): Promise<Caller> {
    const bearer = bearerOf(request);
    if (bearer === undefined || this.#keys.length === 0) return { kind: "anonymous" };
    if (this.#apiKeys !== undefined && isApiKey(bearer)) {
      const verdict = await this.#apiKeys.check(bearer, scope);
      if (!verdict.valid) return { kind: "refused", status: verdict.status, reason: verdict.reason };
      return { kind: "user", user: verdict.user, keyHash: verdict.hash };
    }
    const verdict = verifyToken(bearer, this.#keys, Date.now() / 1000);
    if (!verdict.valid) return { kind: "refused", status: 401, reason: verdict.reason };
    const subject = verdict.subject?.toLowerCase() ?? "";
    return UUID.test(subject) ? { kind: "user", user: { id: subject } } : { kind: "anonymous" };
  }

  /** Whether API keys can be looked up. */
  get takesKeys(): boolean {
    return this.#apiKeys !== undefined;
  }

  /** Whether the key of an open stream is still valid. */
  async isValid(keyHash: string, scope: ApiKeyScope): Promise<boolean> {
    return (await this.#apiKeys?.isValid(keyHash, scope)) ?? true;
  }
}

/** Whether two callers are the same user, or both none. */
export function sameUser(a: User | undefined, b: User | undefined): boolean {
  return a?.id === b?.id;
}
