import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scramVerifier } from "../../../components/secrets/scram.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { docker } from "../../../operations/docker/cli.ts";
import { signToken, until } from "../reference-server/harness.ts";
import { keyTests } from "./server/keys.ts";
import { outageTests } from "./server/outages.ts";
import { uploadTests } from "./server/uploads.ts";
import { ALICE, bearer, BOB, KEY, NOBODY, ServerWorld } from "./server/world.ts";

const FILE = "00000000-0000-4000-8000-00000000000f";

/** A row in each table of users that the flows of this file do not fill, and in some of the project's own. */
const ROWS_OF_ALICE = `
  insert into public.user_profiles (user_id) values ('${ALICE}');
  insert into public.api_keys (user_id, name, prefix, key_hash) values ('${ALICE}', 'x', 'exai', repeat('a', 64));
  insert into public.files (id, user_id, name, size_bytes, storage_path) values ('${FILE}', '${ALICE}', 'x', 1, '${ALICE}/x');
  insert into public.provider_file_uploads (user_id, file_id, provider) values ('${ALICE}', '${FILE}', 'kimi');
  insert into public.uploads (id, user_id, name, size_bytes) values ('${FILE}', '${ALICE}', 'x', 1);
  insert into public.upload_parts (user_id, upload_id, part_number, size_bytes, sha256)
    values ('${ALICE}', '${FILE}', 1, 1, repeat('a', 64));
  insert into public.storage_objects (user_id, bucket, path, size_bytes) values ('${ALICE}', 'files', '${ALICE}/x', 1);
  insert into public.rate_limits (user_id, name, per_minute, burst) values ('${ALICE}', 'uploads', 1, 1);
  insert into public.exai_issues (reported_by, title) values ('${ALICE}', 'x');
  insert into public.production_incidents (title, severity) values ('x', 'low');
  insert into public.system_health (component, status) values ('x', 'healthy');
  insert into public.monitoring_events (event_type, source) values ('x', 'x')`;

const world = new ServerWorld();

beforeAll(() => world.open(), 600_000);
afterAll(() => world.close());

describe("what a user does is kept in rows", () => {
  let conversation: string;

  it("of sessions, tools, questions, answers and what they cost", async () => {
    const { client, transport, call } = await world.connected(bearer(ALICE));
    const first = await call("chat", { provider: "kimi", prompt: "one" });
    conversation = (first.structuredContent as { conversation_id: string }).conversation_id;
    await call("chat", { provider: "kimi", prompt: "two", conversation_id: conversation });
    const failed = await call("chat", { provider: "kimi", prompt: "fail", conversation_id: conversation });
    expect(failed.isError).toBe(true);

    const of = (table: string, columns: string) => world.stack.sql(`select ${columns} from public.${table}`);
    expect(
      await of("messages", "string_agg(format('%s %s %s', role, content, token_count), '|' order by created_at)"),
    ).toBe("user one |assistant read: one 11|user two |assistant read: two 11|user fail \n");
    expect(
      await world.stack.sql(
        "select outcome, count(*), sum(prompt_tokens), sum(completion_tokens) from public.provider_usage group by 1 order by 1",
      ),
    ).toBe("error|1||\nok|2|14|22\n");
    await until("the calls are recorded", async () => (await of("tool_calls", "count(*)")) === "3\n");
    expect(await of("mcp_sessions", "slot, mcp_session_id, closed_at is null")).toBe(
      `blue|${transport.sessionId ?? ""}|t\n`,
    );
    await until(
      "the client is named",
      async () => (await of("sessions", "client_name, client_version")) === "test client|2\n",
    );
    expect(await of("audit_log", "action, release, slot")).toBe("session.begin|test-1|blue\n");
    expect(await of("deployments", "release, slot, stopped_at is null")).toBe("test-1|blue|t\n");

    await transport.terminateSession();
    await client.close();
    await until("the end is recorded", async () => (await of("sessions", "ended_at is null")) === "f\n");
  });

  it("and read back by that user alone", async () => {
    const list = (await (await world.read(ALICE)).json()) as {
      conversations: { id: string; title: string; messages: number }[];
    };
    expect(list.conversations).toMatchObject([{ id: conversation, title: "one", messages: 5 }]);
    expect(await (await world.read(ALICE, `?id=${conversation}`)).json()).toMatchObject({
      messages: [{ role: "user", content: "one" }, { role: "assistant", provider: "kimi" }, {}, {}, {}],
    });
    expect(await (await world.read(BOB)).json()).toEqual({ conversations: [] });
    expect((await world.read(BOB, `?id=${conversation}`)).status).toBe(404);
    const { client, call } = await world.connected(bearer(BOB));
    const answer = await call("chat", { provider: "kimi", prompt: "mine?", conversation_id: conversation });
    expect(answer).toMatchObject({ isError: true, content: [{ text: "there is no such conversation" }] });
    await client.close();
  });

  it("and by no one without a token, with a wrong one, or without an account", async () => {
    expect((await fetch(world.server.url + SERVER_PATHS.conversations)).status).toBe(401);
    const forged = { authorization: `Bearer ${signToken(KEY.replace("a", "b"), { sub: ALICE })}` };
    expect((await fetch(world.server.url + SERVER_PATHS.conversations, { headers: forged })).status).toBe(401);
    await expect(world.connected(forged)).rejects.toThrow(/Unauthorized|401/);
    await expect(world.connected(bearer(NOBODY))).rejects.toThrow(/no account/);
    const { transport } = await world.connected(bearer(ALICE));
    const stolen = await fetch(world.server.url + SERVER_PATHS.mcp, {
      method: "POST",
      headers: {
        ...bearer(BOB),
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-session-id": transport.sessionId ?? "",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
    });
    expect(stolen.status).toBe(404);
  });

  it("but without a user nothing is kept", async () => {
    const before = await world.stack.sql("select count(*) from public.sessions");
    const { call, client } = await world.connected({});
    expect((await call("echo", { text: "hello" })).content).toMatchObject([{ text: "hello" }]);
    await client.close();
    expect(await world.stack.sql("select count(*) from public.sessions")).toBe(before);
  });
});

describe("limits", () => {
  it("answer 429 with the time until the bucket has a unit, for both slots together", async () => {
    const green = await world.start({ EXAI_SLOT: "green" });
    await world.stack.sql(
      `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${BOB}', 'requests', 20, 2);
       delete from public.rate_limit_buckets where user_id = '${BOB}'`,
    );
    expect((await world.read(BOB)).status).toBe(200);
    expect((await world.read(BOB, "", green)).status).toBe(200);
    const refused = await world.read(BOB);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(2);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(3);
    expect((await world.read(BOB, "", green)).status).toBe(429);
    expect((await world.read(ALICE)).status).toBe(200);
    await world.stack.sql(
      `update public.rate_limit_buckets set refilled_at = now() - interval '3 s' where user_id = '${BOB}'`,
    );
    expect((await world.read(BOB)).status).toBe(200);
    await world.stack.sql(`delete from public.rate_limits where user_id is not null`);
    green.process.kill("SIGTERM");
    expect(await green.exited).toBe(0);
    expect(await world.stack.sql("select slot, stopped_at is not null from public.deployments order by slot")).toBe(
      "blue|f\ngreen|t\n",
    );
  });
});

uploadTests(world);
keyTests(world);
outageTests(world);

describe("through the server's own login", () => {
  it("no user, no anon and not the server itself reaches a row of another user, with any command on any table", async () => {
    await world.stack.sql(ROWS_OF_ALICE);
    const client = new pg.Client({ connectionString: world.environment.EXAI_SERVER_DATABASE_URL });
    await client.connect();
    const tables = (
      await world.stack.sql(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
      )
    )
      .trim()
      .split("\n");
    const owned = new Map(
      (
        await world.stack.sql(
          `select table_name, column_name from information_schema.columns
           where table_schema = 'public' and column_name in ('user_id', 'reported_by')`,
        )
      )
        .trim()
        .split("\n")
        .map((line) => line.split("|") as [string, string]),
    );
    /** What a command reaches, or undefined if it is refused. */
    const reached = async (role: string, sub: string | undefined, sql: string): Promise<number | undefined> => {
      await client.query("begin");
      try {
        const claims = sub === undefined ? "" : JSON.stringify({ sub, role });
        await client.query("select set_config('request.jwt.claims', $1, true)", [claims]);
        await client.query(`set local role ${role}`);
        return (await client.query(sql)).rowCount ?? 0;
      } catch (error) {
        if ((error as { code?: string }).code !== "42501") throw error;
        return undefined;
      } finally {
        await client.query("rollback");
      }
    };
    const leaks: string[] = [];
    let asked = 0;
    for (const table of tables)
      for (const [role, sub] of [
        ["authenticated", BOB],
        ["exai_server", BOB],
        ["exai_server", undefined],
        ["anon", undefined],
      ] as const) {
        const owner = owned.get(table);
        // Rows without an owner are the project's: users reach none of them.
        const others = owner === undefined ? "true" : `${owner} is distinct from '${BOB}' and ${owner} is not null`;
        for (const sql of [
          `select from public.${table} where ${others}`,
          `delete from public.${table} where ${others}`,
          ...(owner === undefined
            ? []
            : [
                `update public.${table} set ${owner} = ${owner} where ${others}`,
                // Refused before anything else is looked at, such as columns without a value.
                `insert into public.${table} (${owner}) values ('${ALICE}')`,
              ]),
        ]) {
          asked += 1;
          const rows = await reached(role, sub, sql);
          const ownProcesses = role === "exai_server" && table === "deployments" && sql.startsWith("select");
          if ((rows ?? 0) > 0 && !ownProcesses) leaks.push(`${role} ${sub ?? "without a user"}: ${sql}`);
        }
      }
    await client.end();
    expect(leaks).toEqual([]);
    expect(asked).toBeGreaterThan(tables.length * 8);
    // There was something to reach.
    const rows = [...owned].map(
      ([table, owner]) =>
        `select '${table}' where not exists (select from public.${table} where ${owner} = '${ALICE}')`,
    );
    expect(await world.stack.sql(rows.join(" union all "))).toBe("");
  });
});

describe("the job of a cluster", () => {
  it("gives the role its password as a verifier, again and again, and the old one no longer works", async () => {
    const password = "another password";
    const files = `printf %s "$URL" > /tmp/url; printf %s "$VERIFIER" > /tmp/verifier`;
    const job = () =>
      docker([
        ...["exec", "--env", `URL=postgres://postgres:${world.stack.password}@127.0.0.1/postgres?sslmode=disable`],
        ...["--env", `VERIFIER=${scramVerifier("exai_server", password)}`, "--env", "LOGIN_ROLE=exai_server"],
        ...["--env", "DATABASE_URL_FILE=/tmp/url", "--env", "VERIFIER_FILE=/tmp/verifier", world.stack.postgres],
        ...["bash", "-c", `${files}; exec exai-postgres login`],
      ]);
    await job();
    await job();
    const attempt = async (url: string) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.end();
    };
    await attempt(world.stack.serverUrl.replace(/:[^:@]+@/, `:${encodeURIComponent(password)}@`));
    await expect(attempt(world.stack.serverUrl)).rejects.toThrow(/password authentication failed/);
  });
});
