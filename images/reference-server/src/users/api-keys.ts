import { apiKeyHash, type ApiKeyScope } from "../../../../contract/secrets/api-key.ts";
import { Admission } from "../database/admission.ts";
import type { Database, User } from "../database/database.ts";
import { clock } from "../database/unavailable.ts";

/** What is known about a key that a request presents. */
export type KeyVerdict =
  | { readonly valid: true; readonly user: User; readonly hash: string }
  | { readonly valid: false; readonly status: 401 | 403; readonly reason: string };

/** How long a key that was valid is looked up ahead of those that were never seen, in seconds; and how many such keys are kept. */
const KNOWN_SECONDS = 300;
const KNOWN_MOST = 10_000;

/** Share of the connections for keys that were not valid lately: those who guess take no more from users. */
const STRANGERS = 0.25;

interface KeyRow extends Record<string, unknown> {
  readonly user: string;
  readonly scopes: readonly string[];
  readonly revoked: boolean;
  readonly expired: boolean;
  /** Whether the time of its last use is to be written. */
  readonly stale: boolean;
}

/**
 * The users of API keys. Each request looks its key up, so that a revocation or an expiry counts at once. PostgreSQL compares hashes of
 * keys, by an index: what time that takes says nothing about a key.
 */
export class ApiKeys {
  readonly #database: Database;
  readonly #strangers: Admission;
  /** Hashes of keys that were valid, the longest unused first, with the time until which they count as known. */
  readonly #known = new Map<string, number>();

  /** @param connections most connections of the process @param queue most requests that wait for one */
  constructor(database: Database, { connections, queue }: { readonly connections: number; readonly queue: number }) {
    this.#database = database;
    this.#strangers = new Admission(Math.max(1, Math.floor(connections * STRANGERS)), queue);
  }

  /** @throws Refusal if the database cannot say now */
  async check(key: string, scope: ApiKeyScope): Promise<KeyVerdict> {
    const hash = apiKeyHash(key);
    const verdict = await this.#check(hash, scope);
    this.#known.delete(hash);
    if (verdict.valid) this.#known.set(hash, clock() + KNOWN_SECONDS);
    if (this.#known.size > KNOWN_MOST) this.#known.delete(this.#known.keys().next().value ?? "");
    return verdict;
  }

  /** Whether a key is still valid that was; one that cannot be looked up now is. */
  async isValid(hash: string, scope: ApiKeyScope): Promise<boolean> {
    try {
      return (await this.#lookUp(hash, scope)).valid;
    } catch {
      return true;
    }
  }

  async #check(hash: string, scope: ApiKeyScope): Promise<KeyVerdict> {
    if ((this.#known.get(hash) ?? 0) > clock()) return this.#lookUp(hash, scope);
    const leave = await this.#strangers.enter();
    try {
      return await this.#lookUp(hash, scope);
    } finally {
      leave();
    }
  }

  async #lookUp(hash: string, scope: ApiKeyScope): Promise<KeyVerdict> {
    const row = await this.#database.forKey(hash, async (query) => {
      const [found] = await query<KeyRow>(
        `select user_id as "user", scopes, revoked_at is not null as revoked, expires_at <= now() as expired,
           coalesce(last_used_at < now() - interval '1 minute', true) as stale
         from public.api_keys where key_hash = $1`,
        [hash],
      );
      // Once a minute at most, so that a busy key costs no write for each request.
      if (found?.stale === true && !found.revoked && !found.expired)
        await query(
          `update public.api_keys set last_used_at = now()
           where key_hash = $1 and coalesce(last_used_at < now() - interval '1 minute', true)`,
          [hash],
        );
      return found;
    });
    if (row === undefined) return { valid: false, status: 401, reason: "the API key is not known" };
    if (row.revoked) return { valid: false, status: 401, reason: "the API key was revoked" };
    if (row.expired) return { valid: false, status: 401, reason: "the API key has expired" };
    if (!row.scopes.includes(scope))
      return { valid: false, status: 403, reason: `the API key lacks the scope ${scope}` };
    return { valid: true, user: { id: row.user }, hash };
  }
}
