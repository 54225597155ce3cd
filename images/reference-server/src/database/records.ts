import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Provider } from "../environment.ts";
import type { Log } from "../log.ts";
import type { Database, DatabaseState, User, UserTransaction } from "./database.ts";
import { takeToken, type LimitName } from "./rate-limits.ts";
import { Refusal } from "./unavailable.ts";

/** Most attempts to record what has already happened, and the pause before the second; each later one is twice as long. */
const ATTEMPTS = 4;
const PAUSE_MS = 500;

/** Interval at which a process says that it still runs, in milliseconds; `exai.deployment_status` allows five times as much. */
const SEEN_MS = 60_000;

/** The subject of a token has no account. */
export class UnknownUser extends Error {
  override readonly name = "UnknownUser";
}

/** An MCP session of a user, as rows. */
export interface SessionRows {
  readonly user: User;
  /** Of `sessions`. */
  readonly session: string;
  /** Of `mcp_sessions`. */
  readonly mcpSession: string;
  /** The identifier that its client sends. */
  readonly mcpSessionId: string;
}

/** One request to a provider. */
export interface ProviderCall {
  readonly provider: Provider;
  readonly model: string;
  readonly outcome: "ok" | "error";
  readonly milliseconds: number;
  readonly promptTokens?: number | undefined;
  readonly completionTokens?: number | undefined;
}

/** A conversation of a user, for a list. */
export interface ConversationSummary {
  readonly id: string;
  readonly title: string | null;
  readonly messages: number;
  readonly updatedAt: string;
}

/** One message. */
export interface MessageRecord {
  readonly role: string;
  readonly content: string;
  readonly provider: string | null;
  readonly createdAt: string;
}

/** About the process that writes. */
export interface Writer {
  readonly release: string;
  readonly version: string;
  readonly slot: string | undefined;
}

/** What the server keeps in its database. Every method throws a `Refusal` if the database cannot take it now. */
export class Records {
  readonly #database: Database;
  readonly #writer: Writer;
  readonly #log: Log;
  readonly #process = randomUUID();
  #recorded = false;

  constructor(database: Database, writer: Writer, log: Log) {
    this.#database = database;
    this.#writer = writer;
    this.#log = log;
  }

  get state(): DatabaseState {
    return this.#database.state;
  }

  /**
   * Whether the login has never worked, which is the release's fault. One that worked and does not any more was changed for both
   * slots, and users who need no database are still served.
   */
  get isMisconfigured(): boolean {
    return this.#database.state === "wrong-login" && !this.#database.hasWorked;
  }

  get load(): Database["load"] {
    return this.#database.load;
  }

  /** Records this process now and every minute, as soon as the database answers. */
  async start(): Promise<void> {
    await this.#seen();
    setInterval(() => void this.#seen(), SEEN_MS).unref();
  }

  /** Records the end of this process. */
  async stop(): Promise<void> {
    if (this.#recorded)
      await this.#tried("the end of the process", () =>
        this.#database.asServer((query) =>
          query("update public.deployments set stopped_at = now(), last_seen_at = now() where id = $1", [
            this.#process,
          ]),
        ),
      );
    await this.#database.close();
  }

  /** Looks whether the database answers again, or the login works by now; at most as often as its pauses allow. */
  async probe(): Promise<void> {
    await this.#seen();
  }

  /** Takes a unit of a limit. @throws Refusal also if the user has used it up */
  async admit(user: User, limit: LimitName): Promise<void> {
    await knownUser(() => this.#database.forUser(user, (transaction) => takeToken(transaction, user.id, limit)));
  }

  /** Begins an MCP session. @throws UnknownUser */
  async beginSession(user: User, mcpSessionId: string): Promise<SessionRows> {
    const rows: SessionRows = { user, session: randomUUID(), mcpSession: randomUUID(), mcpSessionId };
    await knownUser(() =>
      this.#database.forUser(user, async (transaction) => {
        await takeToken(transaction, user.id, "requests");
        await this.#writeSession(transaction, rows);
        await transaction.asServer(
          `insert into public.audit_log (user_id, action, target_type, target_id, release, slot)
           values ($1, 'session.begin', 'mcp_session', $2, $3, $4)`,
          [user.id, rows.mcpSession, this.#writer.release, this.#writer.slot ?? null],
        );
      }),
    );
    return rows;
  }

  /** Notes who the client is, once it has said so. */
  async nameClient({ user, session }: SessionRows, name: string, version: string): Promise<void> {
    await this.#tried("the client of a session", () =>
      this.#database.forUser(user, ({ asUser }) =>
        asUser("update public.sessions set client_name = left($2, 200), client_version = left($3, 100) where id = $1", [
          session,
          name,
          version,
        ]),
      ),
    );
  }

  async endSession({ user, session, mcpSession }: SessionRows): Promise<void> {
    await this.#tried("the end of a session", () =>
      this.#database.forUser(user, async ({ asUser }) => {
        await asUser("update public.mcp_sessions set closed_at = now(), last_seen_at = now() where id = $1", [
          mcpSession,
        ]);
        await asUser("update public.sessions set ended_at = now(), last_seen_at = now() where id = $1", [session]);
      }),
    );
  }

  async toolCall(rows: SessionRows, tool: string, outcome: "ok" | "error", milliseconds: number): Promise<void> {
    await this.#tried("a call of a tool", () =>
      this.#inSession(rows, async ({ asServer, asUser }) => {
        await asServer(
          `insert into public.tool_calls (id, user_id, mcp_session_id, tool, outcome, duration_ms) values ($1, $2, $3, $4, $5, $6)`,
          [randomUUID(), rows.user.id, rows.mcpSession, tool, outcome, Math.round(milliseconds)],
        );
        await asUser("update public.mcp_sessions set last_seen_at = now() where id = $1", [rows.mcpSession]);
      }),
    );
  }

  /**
   * Writes a user's question, into the given conversation or a new one.
   *
   * @returns the conversation; undefined if the user has none with this identifier
   */
  async question(rows: SessionRows, prompt: string, conversation: string | undefined): Promise<string | undefined> {
    const { user, session } = rows;
    return knownUser(() =>
      this.#inSession(rows, async (transaction) => {
        await takeToken(transaction, user.id, "chats");
        const { asUser } = transaction;
        const id = conversation ?? randomUUID();
        if (conversation === undefined)
          await asUser(
            "insert into public.conversations (id, user_id, session_id, title) values ($1, $2, $3, left($4, 100))",
            [id, user.id, session, prompt],
          );
        else {
          const touched = await asUser("update public.conversations set session_id = $2 where id = $1 returning id", [
            id,
            session,
          ]);
          if (touched.length === 0) return undefined;
        }
        await asUser(
          "insert into public.messages (id, user_id, conversation_id, role, content) values ($1, $2, $3, 'user', $4)",
          [randomUUID(), user.id, id, prompt],
        );
        return id;
      }),
    );
  }

  /** Records a request to a provider, with its answer. What was used is billed, so this is tried for some seconds. */
  async answer(
    { user }: SessionRows,
    conversation: string,
    call: ProviderCall,
    content: string | undefined,
  ): Promise<void> {
    const id = randomUUID();
    await this.#tried("a provider's answer", () =>
      this.#database.forUser(user, async ({ asServer }) => {
        const { provider, model, outcome, milliseconds, promptTokens = null, completionTokens = null } = call;
        if (content !== undefined)
          await asServer(
            `insert into public.messages (id, user_id, conversation_id, role, content, provider, model, token_count)
             values ($1, $2, $3, 'assistant', $4, $5, $6, $7)`,
            [randomUUID(), user.id, conversation, content, provider, model, completionTokens],
          );
        await asServer(
          `insert into public.provider_usage
             (id, user_id, conversation_id, provider, model, outcome, prompt_tokens, completion_tokens, duration_ms)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
          [
            id,
            user.id,
            conversation,
            provider,
            model,
            outcome,
            promptTokens,
            completionTokens,
            Math.round(milliseconds),
          ],
        );
      }),
    );
  }

  /** The user's newest conversations, at most 100. */
  async conversations(user: User): Promise<readonly ConversationSummary[]> {
    return knownUser(() =>
      this.#database.forUser(user, async (transaction) => {
        await takeToken(transaction, user.id, "requests");
        return transaction.asUser<ConversationSummary & Record<string, unknown>>(
          `select c.id, c.title, (select count(*)::integer from public.messages as m where m.conversation_id = c.id) as messages,
             c.updated_at as "updatedAt"
           from public.conversations as c order by c.updated_at desc limit 100`,
        );
      }),
    );
  }

  /** The newest messages of one conversation, at most 1000, the oldest first; undefined if the user has no such conversation. */
  async messages(user: User, conversation: string): Promise<readonly MessageRecord[] | undefined> {
    return knownUser(() =>
      this.#database.forUser(user, async (transaction) => {
        await takeToken(transaction, user.id, "requests");
        const { asUser } = transaction;
        const found = await asUser("select from public.conversations where id = $1", [conversation]);
        if (found.length === 0) return undefined;
        const rows = await asUser<MessageRecord & Record<string, unknown>>(
          `select role, content, provider, created_at as "createdAt" from public.messages
           where conversation_id = $1 order by created_at desc, role limit 1000`,
          [conversation],
        );
        return rows.reverse();
      }),
    );
  }

  async #seen(): Promise<void> {
    const { release, version, slot = null } = this.#writer;
    try {
      await this.#database.asServer((query) =>
        query(
          `insert into public.deployments (id, release, version, slot, host) values ($1, $2, $3, $4, $5)
           on conflict (id) do update set last_seen_at = now()`,
          [this.#process, release, version, slot, hostname()],
        ),
      );
      this.#recorded = true;
    } catch (error) {
      this.#log.debug("the process is not recorded", { error: String(error) });
    }
  }

  /**
   * A transaction of a session. A database that was restored to an earlier time lacks the rows of sessions that began later and still
   * run: they are written again.
   */
  async #inSession<Result>(
    rows: SessionRows,
    work: (transaction: UserTransaction) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await this.#database.forUser(rows.user, work);
    } catch (error) {
      const { code, constraint } = error as { code?: unknown; constraint?: unknown };
      if (code !== "23503" || typeof constraint !== "string" || !/session(_id)?_fkey$/.test(constraint)) throw error;
      await this.#database.forUser(rows.user, (transaction) => this.#writeSession(transaction, rows));
      return this.#database.forUser(rows.user, work);
    }
  }

  async #writeSession({ asUser, asServer }: UserTransaction, rows: SessionRows): Promise<void> {
    const { user, session, mcpSession, mcpSessionId } = rows;
    await asUser("insert into public.sessions (id, user_id) values ($1, $2) on conflict do nothing", [
      session,
      user.id,
    ]);
    await asServer(
      `insert into public.mcp_sessions (id, user_id, session_id, mcp_session_id, slot) values ($1, $2, $3, $4, $5)
       on conflict do nothing`,
      [mcpSession, user.id, session, mcpSessionId, this.#writer.slot ?? null],
    );
  }

  /** Repeats what must not fail the request, because its work is done; what cannot be written is logged. */
  async #tried(what: string, write: () => Promise<unknown>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await write();
        return;
      } catch (error) {
        if (attempt < ATTEMPTS && error instanceof Refusal)
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** (attempt - 1)));
        else {
          this.#log.error(`${what} is not recorded`, { error: error instanceof Error ? error.message : String(error) });
          return;
        }
      }
    }
  }
}

/** Runs work of a user. @throws UnknownUser: a key that no account has is the caller's mistake */
export async function knownUser<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const { code, constraint } = error as { code?: unknown; constraint?: unknown };
    if (code === "23503" && typeof constraint === "string" && constraint.endsWith("_user_id_fkey"))
      throw new UnknownUser("the user of the token has no account", { cause: error });
    throw error;
  }
}
