import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import { command, fix, onStack, type Fix } from "../../contract/fix.ts";
import { userName } from "../../contract/machine/user.ts";
import { apiKeyHash, apiKeyPrefix, isApiKey, newApiKey, type ApiKeyScope } from "../../contract/secrets/api-key.ts";
import { withClient } from "../migrations/client.ts";
import { databaseUrl } from "../migrations/url.ts";

/** An API key without itself: only its hash is stored. */
export interface ApiKey {
  readonly id: string;
  /** Its first characters. */
  readonly prefix: string;
  readonly name: string;
  /** Identifier of its user. */
  readonly user: string;
  readonly scopes: readonly string[];
  readonly state: "valid" | "expired" | "revoked";
  /** ISO 8601, as all times here. */
  readonly createdAt: string;
  readonly expiresAt: string;
  /** At most a minute before the last use; absent if it was never used. */
  readonly lastUsedAt?: string;
  readonly revokedAt?: string;
}

interface OnStack {
  /** Name of the stack; absent for `local`. */
  readonly stack?: string;
}

/** The database of a stack. */
export interface KeyDatabase extends OnStack {
  /** Connection string of the owner. */
  readonly url: string;
}

export interface ApiKeyCreated extends OnStack {
  /** The key itself. It is shown now and never again. */
  readonly key: string;
  readonly apiKey: ApiKey;
}

export interface ApiKeyList extends OnStack {
  /** The newest first, at most 1000. */
  readonly apiKeys: readonly ApiKey[];
}

export interface ApiKeyRevoked extends OnStack {
  readonly apiKey: ApiKey;
  /** It was revoked or had expired before. */
  readonly unchanged: boolean;
}

export interface NewApiKey {
  readonly user: string;
  readonly name: string;
  readonly scopes: readonly ApiKeyScope[];
  /** Seconds until it expires. */
  readonly seconds: number;
}

const COLUMNS = `id, prefix, name, user_id as "user", scopes, created_at as "createdAt", expires_at as "expiresAt",
  last_used_at as "lastUsedAt", revoked_at as "revokedAt",
  case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'valid' end as state`;

interface Row {
  readonly id: string;
  readonly prefix: string;
  readonly name: string;
  readonly user: string;
  readonly scopes: readonly string[];
  readonly state: ApiKey["state"];
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

/** Issues a key. Its hash is stored, and the key is returned this once. @throws UserError `not-found` without the account */
export async function createApiKey(database: KeyDatabase, wanted: NewApiKey): Promise<ApiKeyCreated> {
  const { user, name, scopes, seconds } = wanted;
  const key = newApiKey();
  return connected(database, async (client) => {
    await client.query("begin");
    try {
      const { rows } = await client.query<Row>(
        `insert into public.api_keys (user_id, name, prefix, key_hash, scopes, expires_at)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) returning ${COLUMNS}`,
        [user, name, apiKeyPrefix(key), apiKeyHash(key), scopes, seconds],
      );
      const apiKey = keyOf(rows[0]);
      await audit(client, "api_key.create", apiKey);
      await client.query("commit");
      return { ...stackOf(database), key, apiKey };
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError) || cause.code !== "23503") throw cause;
      const where = command(onStack("psql", database.stack));
      throw new UserError("not-found", `user ${user}`, "has no account", fix`${where} shows them: table auth.users`, {
        cause,
      });
    }
  });
}

/** The keys of all users, or of one. */
export async function listApiKeys(database: KeyDatabase, user: string | undefined): Promise<ApiKeyList> {
  return connected(database, async (client) => {
    const { rows } = await client.query<Row>(
      `select ${COLUMNS} from public.api_keys where $1::uuid is null or user_id = $1 order by created_at desc, id limit 1000`,
      [user ?? null],
    );
    return { ...stackOf(database), apiKeys: rows.map(keyOf) };
  });
}

/** Revokes a key; it stays revoked. @param name its prefix, its identifier or the key itself @throws UserError `not-found`, or `invalid-argument` if several have the prefix */
export async function revokeApiKey(database: KeyDatabase, name: string): Promise<ApiKeyRevoked> {
  return connected(database, async (client) => {
    await client.query("begin");
    const { rows } = await client.query<Row>(
      `select ${COLUMNS} from public.api_keys where prefix = $1 or id::text = $1 or key_hash = $2 order by created_at for update`,
      [name, apiKeyHash(name)],
    );
    const [found, ...others] = rows;
    const list = command(onStack("api-key list", database.stack));
    const where = `API key ${isApiKey(name) ? apiKeyPrefix(name) : name}`;
    if (found === undefined) throw new UserError("not-found", where, "does not exist", fix`${list}`);
    if (others.length > 0)
      throw new UserError(
        "invalid-argument",
        where,
        "is the prefix of several keys",
        fix`name its identifier: ${rows.map(({ id }) => id).join(", ")}`,
      );
    if (found.state !== "valid") return { ...stackOf(database), apiKey: keyOf(found), unchanged: true };
    const revoked = await client.query<Row>(
      `update public.api_keys set revoked_at = now() where id = $1 returning ${COLUMNS}`,
      [found.id],
    );
    const apiKey = keyOf(revoked.rows[0]);
    await audit(client, "api_key.revoke", apiKey);
    await client.query("commit");
    return { ...stackOf(database), apiKey, unchanged: false };
  });
}

/** @throws UserError `unavailable` if the database cannot be reached, `state-conflict` before its migrations */
async function connected<Result>(database: KeyDatabase, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const parsed = databaseUrl(database.url);
  try {
    return await withClient(parsed, work, { application: "exai api-key" });
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    if (cause instanceof pg.DatabaseError && cause.code === "42P01")
      throw new UserError(
        "state-conflict",
        parsed.display,
        "has no table for API keys yet",
        fix`${command(onStack("migrate apply", database.stack))}`,
        { cause },
      );
    if (cause instanceof pg.DatabaseError && !/^(08|28|3D|53|57P)/.test(cause.code ?? "")) throw cause;
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new UserError("unavailable", parsed.display, `does not answer: ${reason}`, answersAgain(database), { cause });
  }
}

/** What makes a database answer. No command starts a hosted one. */
function answersAgain({ stack }: KeyDatabase): Fix {
  if (stack === undefined) return fix`${command("up")}`;
  return fix`check exai:databaseUrl of Pulumi.${stack}.yaml, and in Supabase's dashboard whether the project is paused`;
}

/** What users see of it in their own audit log. */
async function audit(client: pg.Client, action: string, { id, user, prefix, name }: ApiKey): Promise<void> {
  await client.query(
    `insert into public.audit_log (user_id, action, target_type, target_id, details) values ($1, $2, 'api_key', $3, $4)`,
    [user, action, id, JSON.stringify({ prefix, name, by: userName() })],
  );
}

function stackOf({ stack }: KeyDatabase): OnStack {
  return stack === undefined ? {} : { stack };
}

function keyOf(row: Row | undefined): ApiKey {
  if (row === undefined) throw new Error("the database has returned no row of a key");
  const { createdAt, expiresAt, lastUsedAt, revokedAt, ...rest } = row;
  return {
    ...{ ...rest, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString() },
    ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
    ...(revokedAt === null ? {} : { revokedAt: revokedAt.toISOString() }),
  };
}
