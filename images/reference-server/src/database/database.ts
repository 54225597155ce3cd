import pg from "pg";
import { clock, Refusal } from "./unavailable.ts";
import { Admission } from "./admission.ts";
import { failureOf, isDown, isPooler } from "./failure.ts";
import type { RecordedTransaction, Recorder } from "./recorder.ts";
import type { DatabaseSettings } from "./settings.ts";
import type { Log } from "../log.ts";

/** Whom a transaction acts for: the subject of a verified token. */
export interface User {
  readonly id: string;
}

/**
 * Begins a transaction with limits: no request may hold a connection or a lock for longer. In the transaction and not in the connection,
 * so that a pooler, which shares connections, can be in between.
 */
const BEGIN = "begin; set local statement_timeout = '10s'; set local idle_in_transaction_session_timeout = '5s'";

/** Until an attempt to connect is given up, in milliseconds. */
const CONNECT_MS = 3000;

/** Until the wait for a connection of a pooler is given up, in milliseconds; longer than PgBouncer's on `local`, which says why. */
const BEGIN_MS = 6000;

/** Until a query is given up, in milliseconds; longer than the server's own limit. */
const QUERY_MS = 15_000;

/** Pauses between attempts to connect while the database is down, in seconds: the first, and the longest. */
const PAUSE = { first: 0.5, most: 10 };

/** Whether it has ever worked, and whether it works now. */
export type DatabaseState = "starting" | "up" | "down" | "wrong-login";

/** A query in a transaction. */
export type Query = <Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;

/** A transaction for a user: what the user does, and what the server decides for the same user. */
export interface UserTransaction {
  /** As `authenticated`: the user's own rights. */
  readonly asUser: Query;
  /** As the server's role, whose policies let it write for this user alone. */
  readonly asServer: Query;
}

/** The server's connections to its database. */
export class Database {
  readonly #pool: pg.Pool;
  readonly #admission: Admission;
  readonly #log: Log;
  readonly #recorder: Recorder | undefined;
  #hasWorked = false;
  #state: DatabaseState = "starting";
  #failures = 0;
  #downUntil = 0;

  /** @param recorder records what is asked, while someone reads it */
  constructor(settings: DatabaseSettings, log: Log, recorder?: Recorder) {
    this.#log = log;
    this.#recorder = recorder;
    this.#admission = new Admission(settings.connections, settings.queue);
    this.#pool = new pg.Pool({
      ...settings.connection,
      max: settings.connections,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: 60_000,
      // A connection that hangs without an error, beyond the server's own limit.
      query_timeout: QUERY_MS,
      application_name: "exai-server",
      keepAlive: true,
    });
    // A connection that breaks while it is idle; the next request opens another one.
    this.#pool.on("error", (error) => {
      log.warning("a database connection broke", { error: error.message });
    });
  }

  get state(): DatabaseState {
    return this.#state;
  }

  /** Whether its login has worked since the process began. */
  get hasWorked(): boolean {
    return this.#hasWorked;
  }

  /** Connections in use, and requests that wait for one. */
  get load(): { readonly active: number; readonly waiting: number } {
    return { active: this.#admission.active, waiting: this.#admission.waiting };
  }

  /** Runs work in a transaction for a user. @throws Refusal if there is no connection for it */
  async forUser<Result>({ id }: User, work: (transaction: UserTransaction) => Promise<Result>): Promise<Result> {
    // Only what was verified, and only what the policies read: a token cannot choose its role.
    const claims = { sub: id, role: "authenticated" };
    const recorded = this.#recorder?.begin(claims);
    return this.#transaction(async (query) => {
      let role = "exai_server";
      const as =
        (wanted: string): Query =>
        async (sql, values) => {
          if (role !== wanted) await query(`set local role ${wanted}`);
          role = wanted;
          recorded?.add(wanted, sql, values);
          return query(sql, values);
        };
      await query("select set_config('request.jwt.claims', $1, true)", [JSON.stringify(claims)]);
      return work({ asUser: as("authenticated"), asServer: as("exai_server") });
    }, recorded);
  }

  /** Runs work in a transaction for no user. @throws Refusal */
  async asServer<Result>(work: (query: Query) => Promise<Result>): Promise<Result> {
    const recorded = this.#recorder?.begin();
    return this.#transaction((query) => {
      const kept: Query = async (sql, values) => {
        recorded?.add("exai_server", sql, values);
        return query(sql, values);
      };
      return work(kept);
    }, recorded);
  }

  /** Runs work in a transaction for no user that sees the row of one API key. A recording has none of it. @throws Refusal */
  async forKey<Result>(hash: string, work: (query: Query) => Promise<Result>): Promise<Result> {
    return this.#transaction(async (query) => {
      await query("select set_config('request.api_key_hash', $1, true)", [hash]);
      return work(query);
    }, undefined);
  }

  async close(): Promise<void> {
    this.#recorder?.close();
    await this.#pool.end();
  }

  async #transaction<Result>(
    work: (query: Query) => Promise<Result>,
    recorded: RecordedTransaction | undefined,
  ): Promise<Result> {
    const now = clock();
    if (now < this.#downUntil) throw new Refusal("database-down", this.#downUntil - now + Math.random());
    // One request at a time finds out whether the database is back.
    if (this.#failures > 0) this.#downUntil = now + CONNECT_MS / 1000;
    const leave = await this.#admission.enter();
    let client: pg.PoolClient | undefined;
    try {
      const opened = await this.#begin();
      client = opened;
      const query: Query = async (sql, values) =>
        (await opened.query<never>(sql, values === undefined ? undefined : [...values])).rows;
      const result = await work(query);
      await query("commit");
      recorded?.end();
      opened.off("error", ignored);
      opened.release();
      return result;
    } catch (error) {
      if (client === undefined) throw error;
      const broken = isDown(error);
      // What is left of the transaction must not reach the next user of the connection.
      const clean = broken
        ? false
        : await client.query("rollback").then(
            () => true,
            () => false,
          );
      if (clean) recorded?.end();
      client.off("error", ignored);
      client.release(!clean);
      // One connection that broke does not mean that the database is down: the next attempt to connect shows it.
      if (broken) throw new Refusal("database-down", 1 + Math.random(), { cause: error });
      throw error;
    } finally {
      leave();
    }
  }

  /** A connection with a new transaction. A pooler has one to the database for it only now. */
  async #begin(): Promise<pg.PoolClient> {
    const client = await this.#connect();
    client.on("error", ignored);
    // The types leave out the time-out of one query.
    const begin: pg.QueryConfig & { query_timeout: number } = { text: BEGIN, query_timeout: BEGIN_MS };
    try {
      await client.query(begin);
      return client;
    } catch (error) {
      client.off("error", ignored);
      client.release(true);
      throw isPooler(error) ? this.#failed(error) : new Refusal("database-down", 1 + Math.random(), { cause: error });
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw this.#failed(error);
    }
    if (this.#state === "up") return client;
    try {
      await requireBoundRole(client);
    } catch (error) {
      client.release(true);
      throw this.#failed(error);
    }
    this.#log.info("the database answers");
    this.#state = "up";
    this.#hasWorked = true;
    this.#failures = 0;
    this.#downUntil = 0;
    return client;
  }

  /** The refusal of a request that got no connection. If the database is down, those after it are refused too. */
  #failed(error: unknown): Refusal {
    const failure = error instanceof WrongRole ? "wrong-login" : failureOf(error);
    if (failure === "pool-full") return this.#admission.refusal();
    this.#failures += 1;
    const pause = Math.min(PAUSE.most, PAUSE.first * 2 ** (this.#failures - 1));
    this.#downUntil = clock() + pause;
    if (failure !== this.#state)
      this.#log.error(
        failure === "wrong-login" ? "the login of the database does not work" : "the database does not answer",
        { error: error instanceof Error ? error.message || String((error as { code?: unknown }).code) : String(error) },
      );
    this.#state = failure;
    return new Refusal("database-down", pause + Math.random(), { cause: error });
  }
}

/** The login has rights that the server must not have. */
class WrongRole extends Error {}

/** Refuses the owner of the tables and every other role that row-level security does not bind. */
async function requireBoundRole(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ user: string; unbound: boolean }>(
    `select session_user as user, rolsuper or rolbypassrls
       or exists (select from pg_class where relnamespace = 'public'::regnamespace and pg_has_role(session_user, relowner, 'member')) as unbound
     from pg_roles where rolname = session_user`,
  );
  const { user = "", unbound = true } = rows[0] ?? {};
  if (unbound || user !== "exai_server")
    throw new WrongRole(`the login is ${user}, and only exai_server, which row-level security binds, is accepted`);
}

/** A connection that breaks between two queries fails the next one; without a listener it would end the process. */
function ignored(): void {
  // The next query reports it.
}
