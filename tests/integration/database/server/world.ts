import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { SERVER_PATHS } from "../../../../contract/server.ts";
import { storageKey } from "../../../../contract/storage/object-store.ts";
import { applyMigrations } from "../../../../operations/migrations/apply.ts";
import { startPostgresStack, type PostgresStack } from "../../../support/postgres-stack.ts";
import { Provider } from "../../../support/uploads/provider.ts";
import { FailingStore } from "../../../support/uploads/store.ts";
import { runOperation } from "../../../support/verbs.ts";
import { Servers, signToken, until, type TestServer } from "../../reference-server/harness.ts";

/** Key of the users' tokens. */
export const KEY = "a key for tokens of at least thirty-two bytes";
export const ALICE = "00000000-0000-4000-8000-00000000000a";
export const BOB = "00000000-0000-4000-8000-00000000000b";
/** Has no account. */
export const NOBODY = "00000000-0000-4000-8000-00000000000c";

/** Connections of the pool, which all servers share. */
export const POOL_SIZE = 4;

/** Servers with a real PostgreSQL behind PgBouncer, the object store, and a provider. Its parts are there after {@link open}. */
export class ServerWorld {
  readonly servers = new Servers();
  readonly provider = new Provider();
  readonly store = new FailingStore(KEY);
  stack!: PostgresStack;
  /** The server that most tests use. */
  server!: TestServer;
  /** What a server needs to reach all others. */
  environment!: Record<string, string>;

  async open(): Promise<void> {
    const [kimi, store] = [await this.provider.open(), await this.store.open()];
    [this.stack] = await Promise.all([startPostgresStack(), this.servers.prepare()]);
    await runOperation(applyMigrations(this.stack.url));
    await this.stack.sql(`insert into auth.users (id) values ('${ALICE}'), ('${BOB}')`);
    this.environment = {
      EXAI_SLOT: "blue",
      EXAI_JWT_TOKEN: KEY,
      KIMI_API_KEY: "kimi-key",
      KIMI_API_URL: kimi,
      EXAI_SERVER_DATABASE_URL: await this.stack.startPool(POOL_SIZE),
      EXAI_DATABASE_CONNECTIONS: String(POOL_SIZE),
      SUPABASE_URL: store,
      SUPABASE_ANON_KEY: storageKey(KEY, "anon"),
      SUPABASE_SERVICE_ROLE_KEY: storageKey(KEY, "service_role"),
    };
    this.server = await this.start();
    await until("the server is ready", async () => (await this.ready()).status === 200);
  }

  async close(): Promise<void> {
    this.servers.stop();
    this.provider.close();
    this.store.close();
    await this.stack.down();
  }

  /** Starts another server; `environment` differs from the first one's. */
  start(environment: Readonly<Record<string, string>> = {}): Promise<TestServer> {
    return this.servers.start({ ...this.environment, ...environment });
  }

  /** Reads the conversations of a user. */
  read(sub: string, query = "", at = this.server): Promise<Response> {
    return fetch(`${at.url}${SERVER_PATHS.conversations}${query}`, { headers: bearer(sub) });
  }

  async ready(at = this.server): Promise<{ readonly status: number; readonly database: string | undefined }> {
    const answer = await fetch(at.url + SERVER_PATHS.ready);
    return { status: answer.status, database: ((await answer.json()) as { database?: string }).database };
  }

  /** Connects an MCP client. */
  async connected(headers: Record<string, string>) {
    const client = new Client({ name: "test client", version: "2" });
    const transport = new StreamableHTTPClientTransport(new URL(SERVER_PATHS.mcp, this.server.url), {
      requestInit: { headers },
    });
    await client.connect(transport);
    const call = async (name: string, args: Record<string, unknown>) =>
      (await client.callTool({ name, arguments: args })) as CallToolResult;
    return { client, transport, call };
  }

  /** Lets the tests ask more often than a user may. */
  async liftLimits(): Promise<void> {
    await this.stack.sql(
      `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${ALICE}', 'requests', 60000, 10000)`,
    );
  }

  async restoreLimits(): Promise<void> {
    await this.stack.sql("delete from public.rate_limits where user_id is not null");
  }
}

/** Headers of a user who has signed in. */
export function bearer(sub: string): { readonly authorization: string } {
  return { authorization: `Bearer ${signToken(KEY, { sub, exp: Math.floor(Date.now() / 1000) + 3600 })}` };
}
