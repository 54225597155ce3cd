import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PGBOUNCER } from "../../../components/database/paths.ts";
import { scramVerifier } from "../../../components/secrets/scram.ts";
import { storageKey } from "../../../contract/storage/object-store.ts";
import { SERVER_METRICS, SERVER_PATHS } from "../../../contract/server.ts";
import { createStore } from "../../../images/object-store/src/http.ts";
import { Objects } from "../../../images/object-store/src/objects.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { applyMigrations } from "../../../operations/migrations/apply.ts";
import { readForm } from "../../support/form.ts";
import { freePort } from "../../support/free-ports.ts";
import { healthy, startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { runOperation } from "../../support/verbs.ts";
import { Servers, signToken, until, type TestServer } from "../reference-server/harness.ts";

const KEY = "a key for tokens of at least thirty-two bytes";
const ALICE = "00000000-0000-4000-8000-00000000000a";
const BOB = "00000000-0000-4000-8000-00000000000b";
const FILE = "00000000-0000-4000-8000-00000000000f";
const NOBODY = "00000000-0000-4000-8000-00000000000c";

const servers = new Servers();
let stack: PostgresStack;
let server: TestServer;
let environment: Record<string, string>;

/** Connections of the pool, which all servers of this file share. */
const POOL_SIZE = 4;

/** Files that the provider has, and how many of the next ones it is too busy for. */
const providerFiles: { purpose: string | undefined; name: string; sha256: string }[] = [];
let busyProvider = 0;
const deletedFiles: (string | undefined)[] = [];

/** Speaks the used part of an OpenAI-compatible API. */
const provider = createServer((request, response) => {
  if (request.method === "DELETE") {
    deletedFiles.push(request.url?.replace("/v1/files/", ""));
    response.end("{}");
    return;
  }
  void request.toArray().then((parts) => {
    if (request.url === "/v1/files") {
      if (busyProvider > 0) {
        busyProvider -= 1;
        response.writeHead(429, { "retry-after": "1" }).end();
        return;
      }
      const { fields, fileName, file } = readForm(Buffer.concat(parts as Buffer[]), request.headers["content-type"]);
      providerFiles.push({ purpose: fields.purpose, name: fileName, sha256: hashOf(file) });
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ id: `file-${String(providerFiles.length)}`, bytes: file.length, status: "ok" }));
      return;
    }
    const { messages } = JSON.parse(Buffer.concat(parts as Buffer[]).toString()) as { messages: { content: string }[] };
    const content = messages[0]?.content ?? "";
    if (content === "fail") response.writeHead(500).end();
    else
      response.writeHead(200, { "content-type": "application/json" }).end(
        JSON.stringify({
          choices: [{ message: { content: `read: ${content}` } }],
          usage: { prompt_tokens: 7, completion_tokens: 11 },
        }),
      );
  });
});

/** The object store, which may break the next connections in the middle of a part. */
const storeDirectory = mkdtempSync(join(tmpdir(), "exai-store-"));
const objects = new Objects(storeDirectory);
const realStore = createStore(objects, KEY);
let brokenParts = 0;
let storeDown = false;
const store = createServer((request, response) => {
  if (storeDown) response.destroy();
  else if (request.method !== "PATCH" || brokenParts === 0) realStore.emit("request", request, response);
  else {
    brokenParts -= 1;
    realStore.emit("request", request, response);
    // A listener for the data would take it from the store.
    const { socket } = request;
    const from = socket.bytesRead;
    const watch = setInterval(() => {
      if (socket.bytesRead - from > 1_000_000) request.destroy();
      if (socket.destroyed || request.complete) clearInterval(watch);
    }, 1);
  }
});

const hashOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const MEBIBYTE = 1024 * 1024;

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

const token = (sub: string) => signToken(KEY, { sub, exp: Math.floor(Date.now() / 1000) + 3600 });
const bearer = (sub: string) => ({ authorization: `Bearer ${token(sub)}` });
const read = (sub: string, query = "", at = server) =>
  fetch(`${at.url}${SERVER_PATHS.conversations}${query}`, { headers: bearer(sub) });
const ready = async (at = server) => {
  const answer = await fetch(at.url + SERVER_PATHS.ready);
  return { status: answer.status, database: ((await answer.json()) as { database?: string }).database };
};

async function connected(headers: Record<string, string>, at = server) {
  const client = new Client({ name: "test client", version: "2" });
  const transport = new StreamableHTTPClientTransport(new URL(SERVER_PATHS.mcp, at.url), { requestInit: { headers } });
  await client.connect(transport);
  const call = async (name: string, args: Record<string, unknown>) =>
    (await client.callTool({ name, arguments: args })) as CallToolResult;
  return { client, transport, call };
}

beforeAll(async () => {
  const port = await freePort();
  provider.listen(port, "127.0.0.1");
  await once(provider, "listening");
  await objects.prepare();
  const storePort = await freePort();
  store.listen(storePort, "127.0.0.1");
  await once(store, "listening");
  [stack] = await Promise.all([startPostgresStack(), servers.prepare()]);
  await runOperation(applyMigrations(stack.url));
  await stack.sql(`insert into auth.users (id) values ('${ALICE}'), ('${BOB}')`);
  environment = {
    EXAI_SLOT: "blue",
    EXAI_JWT_TOKEN: KEY,
    KIMI_API_KEY: "kimi-key",
    KIMI_API_URL: `http://127.0.0.1:${port}/v1`,
    EXAI_SERVER_DATABASE_URL: await stack.startPool(POOL_SIZE),
    EXAI_DATABASE_CONNECTIONS: String(POOL_SIZE),
    SUPABASE_URL: `http://127.0.0.1:${storePort}`,
    SUPABASE_ANON_KEY: storageKey(KEY, "anon"),
    SUPABASE_SERVICE_ROLE_KEY: storageKey(KEY, "service_role"),
  };
  server = await servers.start(environment);
  await until("the server is ready", async () => (await ready()).status === 200);
}, 600_000);
afterAll(async () => {
  servers.stop();
  for (const each of [provider, store]) {
    each.closeAllConnections();
    each.close();
  }
  rmSync(storeDirectory, { recursive: true });
  await stack.down();
});

describe("what a user does is kept in rows", () => {
  let conversation: string;

  it("of sessions, tools, questions, answers and what they cost", async () => {
    const { client, transport, call } = await connected(bearer(ALICE));
    const first = await call("chat", { provider: "kimi", prompt: "one" });
    conversation = (first.structuredContent as { conversation_id: string }).conversation_id;
    await call("chat", { provider: "kimi", prompt: "two", conversation_id: conversation });
    const failed = await call("chat", { provider: "kimi", prompt: "fail", conversation_id: conversation });
    expect(failed.isError).toBe(true);

    const of = (table: string, columns: string) => stack.sql(`select ${columns} from public.${table}`);
    expect(
      await of("messages", "string_agg(format('%s %s %s', role, content, token_count), '|' order by created_at)"),
    ).toBe("user one |assistant read: one 11|user two |assistant read: two 11|user fail \n");
    expect(
      await stack.sql(
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
    const list = (await (await read(ALICE)).json()) as {
      conversations: { id: string; title: string; messages: number }[];
    };
    expect(list.conversations).toMatchObject([{ id: conversation, title: "one", messages: 5 }]);
    expect(await (await read(ALICE, `?id=${conversation}`)).json()).toMatchObject({
      messages: [{ role: "user", content: "one" }, { role: "assistant", provider: "kimi" }, {}, {}, {}],
    });
    expect(await (await read(BOB)).json()).toEqual({ conversations: [] });
    expect((await read(BOB, `?id=${conversation}`)).status).toBe(404);
    const { client, call } = await connected(bearer(BOB));
    const answer = await call("chat", { provider: "kimi", prompt: "mine?", conversation_id: conversation });
    expect(answer).toMatchObject({ isError: true, content: [{ text: "there is no such conversation" }] });
    await client.close();
  });

  it("and by no one without a token, with a wrong one, or without an account", async () => {
    expect((await fetch(server.url + SERVER_PATHS.conversations)).status).toBe(401);
    const forged = { authorization: `Bearer ${signToken(KEY.replace("a", "b"), { sub: ALICE })}` };
    expect((await fetch(server.url + SERVER_PATHS.conversations, { headers: forged })).status).toBe(401);
    await expect(connected(forged)).rejects.toThrow(/Unauthorized|401/);
    await expect(connected(bearer(NOBODY))).rejects.toThrow(/no account/);
    const { transport } = await connected(bearer(ALICE));
    const stolen = await fetch(server.url + SERVER_PATHS.mcp, {
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
    const before = await stack.sql("select count(*) from public.sessions");
    const { call, client } = await connected({});
    expect((await call("echo", { text: "hello" })).content).toMatchObject([{ text: "hello" }]);
    await client.close();
    expect(await stack.sql("select count(*) from public.sessions")).toBe(before);
  });
});

describe("limits", () => {
  it("answer 429 with the time until the bucket has a unit, for both slots together", async () => {
    const green = await servers.start({ ...environment, EXAI_SLOT: "green" });
    await stack.sql(
      `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${BOB}', 'requests', 20, 2);
       delete from public.rate_limit_buckets where user_id = '${BOB}'`,
    );
    expect((await read(BOB)).status).toBe(200);
    expect((await read(BOB, "", green)).status).toBe(200);
    const refused = await read(BOB);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(2);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(3);
    expect((await read(BOB, "", green)).status).toBe(429);
    expect((await read(ALICE)).status).toBe(200);
    await stack.sql(
      `update public.rate_limit_buckets set refilled_at = now() - interval '3 s' where user_id = '${BOB}'`,
    );
    expect((await read(BOB)).status).toBe(200);
    await stack.sql(`delete from public.rate_limits where user_id is not null`);
    green.process.kill("SIGTERM");
    expect(await green.exited).toBe(0);
    expect(await stack.sql("select slot, stopped_at is not null from public.deployments order by slot")).toBe(
      "blue|f\ngreen|t\n",
    );
  });
});

describe("uploads", () => {
  // The tests look at an upload more often than a user may.
  beforeAll(async () => {
    await stack.sql(
      `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${ALICE}', 'requests', 60000, 10000)`,
    );
  });
  afterAll(async () => {
    await stack.sql("delete from public.rate_limits where user_id is not null");
  });

  const TUS = { "tus-resumable": "1.0.0" };
  const metadata = (values: Readonly<Record<string, string>>) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`)
      .join(",");
  const ask = (method: string, location: string, headers: Record<string, string> = {}, sub = ALICE, at = server) =>
    fetch(at.url + location, { method, headers: { ...TUS, ...bearer(sub), ...headers } });
  const begin = (size: number, values: Readonly<Record<string, string>>, sub = ALICE) =>
    ask("POST", SERVER_PATHS.uploads, { "upload-length": String(size), "upload-metadata": metadata(values) }, sub);
  const begun = async (size: number, values: Readonly<Record<string, string>>) => {
    const answer = await begin(size, values);
    expect(answer.status).toBe(201);
    return answer.headers.get("location") ?? "";
  };
  const send = (location: string, offset: number, bytes: Buffer, at = server, sub = ALICE) =>
    fetch(at.url + location, {
      method: "PATCH",
      headers: {
        ...TUS,
        ...bearer(sub),
        "upload-offset": String(offset),
        "content-type": "application/offset+octet-stream",
      },
      body: new Uint8Array(bytes),
    });
  const offset = async (location: string, at = server) =>
    Number((await ask("HEAD", location, {}, ALICE, at)).headers.get("upload-offset"));
  const progress = async (location: string, at = server, sub = ALICE) =>
    (await (await ask("GET", location, {}, sub, at)).json()) as {
      status: string;
      received: number;
      reason?: string;
      copy?: { status: string; providerFile: string; error: string | null };
    };
  const idOf = (location: string) => location.split("=")[1] ?? "";
  /** Sends the beginning of a part and cuts the connection. */
  const cut = async (location: string, from: number, bytes: Buffer, size: number, at = server) => {
    const request = httpRequest(at.url + location, {
      method: "PATCH",
      headers: {
        ...TUS,
        ...bearer(ALICE),
        "upload-offset": from,
        "content-type": "application/offset+octet-stream",
        "content-length": size - from,
      },
    });
    request.on("error", () => undefined);
    await new Promise<void>((resolve) =>
      request.write(bytes, () => {
        resolve();
      }),
    );
    return () => request.destroy();
  };

  it("go to the store in parts and then to the provider, with their rows", async () => {
    const bytes = randomBytes(7 * MEBIBYTE);
    const sha256 = hashOf(bytes);
    busyProvider = 1;
    const location = await begun(bytes.length, {
      filename: "report.pdf",
      filetype: "application/pdf",
      provider: "kimi",
      sha256,
    });
    expect(await offset(location)).toBe(0);
    const answer = await send(location, 0, bytes);
    expect(answer.status).toBe(204);
    expect(answer.headers.get("upload-offset")).toBe(String(bytes.length));
    const copy = await until("the provider has it", async () => {
      const { copy } = await progress(location);
      return copy?.status === "uploaded" && copy;
    });
    expect(providerFiles).toEqual([{ purpose: "file-extract", name: "report.pdf", sha256 }]);
    expect(copy.providerFile).toBe("file-1");
    const id = idOf(location);
    expect(await stack.sql(`select name, size_bytes, sha256, storage_path from public.files where id = '${id}'`)).toBe(
      `report.pdf|${String(bytes.length)}|${sha256}|${ALICE}/${id}\n`,
    );
    expect(
      await stack.sql(
        `select part_number, size_bytes, sha256 = '${hashOf(bytes.subarray(0, 6 * MEBIBYTE))}' from public.upload_parts order by 1`,
      ),
    ).toBe(`1|${String(6 * MEBIBYTE)}|t\n2|${String(MEBIBYTE)}|f\n`);
    expect(await stack.sql("select bucket, path, etag from public.storage_objects")).toBe(
      `files|${ALICE}/${id}|${sha256}\n`,
    );
    expect(
      await stack.sql("select outcome, bytes from public.provider_usage where operation = 'upload' order by used_at"),
    ).toBe(`error|${String(bytes.length)}\nok|${String(bytes.length)}\n`);
  });

  it("continue where they were after a cut connection, at the other slot, and after a killed server", async () => {
    const green = await servers.start({ ...environment, EXAI_SLOT: "green" });
    const bytes = randomBytes(16 * MEBIBYTE);
    const location = await begun(bytes.length, { filename: "a.txt", sha256: hashOf(bytes) });
    const end = await cut(location, 0, bytes.subarray(0, 7 * MEBIBYTE), bytes.length);
    await until("the first part is there", async () => (await progress(location)).received >= 6 * MEBIBYTE);
    end();
    // What came of the second part is kept too.
    await until("all that came is kept", async () => (await offset(location, green)) === 7 * MEBIBYTE);
    await cut(location, 7 * MEBIBYTE, bytes.subarray(7 * MEBIBYTE, 13 * MEBIBYTE), bytes.length, green);
    await until("a part is there", async () => (await progress(location)).received >= 12 * MEBIBYTE);
    green.process.kill("SIGKILL");
    const from = await offset(location);
    expect(from).toBe(12 * MEBIBYTE);
    expect((await send(location, from, bytes.subarray(from))).status).toBe(204);
    expect(await progress(location)).toMatchObject({ status: "completed", file: idOf(location) });
  });

  it("survive a store that breaks in the middle of parts, without the client's doing", async () => {
    const bytes = randomBytes(8 * MEBIBYTE);
    const location = await begun(bytes.length, { filename: "a.txt", sha256: hashOf(bytes) });
    brokenParts = 2;
    expect((await send(location, 0, bytes)).status).toBe(204);
    expect(brokenParts).toBe(0);
    expect(await progress(location)).toMatchObject({ status: "completed" });
  });

  it("are continued to the provider by another process, and again on request", async () => {
    const green = await servers.start({ ...environment, EXAI_SLOT: "green", EXAI_GRACE_SECONDS: "1" });
    const before = providerFiles.length;
    const values = { filename: "a.txt", provider: "kimi" };
    busyProvider = 1000;
    const first = await begun(3, values);
    expect((await send(first, 0, Buffer.from("one"), green)).status).toBe(204);
    green.process.kill("SIGTERM");
    expect(await green.exited).toBe(0);
    expect(providerFiles.length).toBe(before);
    busyProvider = 0;
    await until("another process has sent it", async () => (await progress(first)).copy?.status === "uploaded");
    // As after the last try.
    await stack.sql(
      `update public.provider_file_uploads set status = 'failed', error = 'kimi answered 503' where file_id = '${idOf(first)}'`,
    );
    expect((await progress(first)).copy).toMatchObject({ status: "failed", error: "kimi answered 503" });
    expect((await ask("POST", first)).status).toBe(200);
    await until("it was sent again", async () => (await progress(first)).copy?.status === "uploaded");
    expect(providerFiles.slice(before).map(({ sha256 }) => sha256)).toEqual(
      [1, 2].map(() => hashOf(Buffer.from("one"))),
    );
  });

  it("become files that their user deletes: at the provider, in the store, and their rows", async () => {
    const location = await begun(3, { filename: "a.txt", provider: "kimi" });
    busyProvider = 1;
    expect((await send(location, 0, Buffer.from("abc"))).status).toBe(204);
    expect((await ask("DELETE", location)).status).toBe(409);
    const copy = await until("the provider has it", async () => {
      const { copy } = await progress(location);
      return copy?.status === "uploaded" && copy;
    });
    const path = `${ALICE}/${idOf(location)}`;
    expect(await objects.find("files", path)).toBeDefined();
    expect((await ask("DELETE", location, {}, BOB)).status).toBe(404);
    expect((await ask("DELETE", location)).status).toBe(204);
    expect(deletedFiles).toEqual([copy.providerFile]);
    expect(await objects.find("files", path)).toBeUndefined();
    expect(await stack.sql(`select deleted_at is null from public.storage_objects where path = '${path}'`)).toBe("f\n");
    expect(await stack.sql(`select count(*) from public.files where id = '${idOf(location)}'`)).toBe("0\n");
    expect((await ask("HEAD", location)).status).toBe(410);
    expect(await progress(location)).toMatchObject({ status: "deleted" });
    expect((await ask("DELETE", location)).status).toBe(404);
  });

  it("are refused with the reason", async () => {
    const reason = async (answer: Response) =>
      `${String(answer.status)} ${((await answer.json()) as { reason: string }).reason}`;
    const location = await begun(6, { filename: "a.txt", sha256: hashOf(Buffer.from("abcdef")) });
    expect(await reason(await begin(6, { filename: "a.exe", provider: "kimi" }))).toBe("415 file-type");
    expect(await reason(await begin(2 ** 30, { filename: "a.txt" }))).toBe("413 too-large");
    expect(await reason(await begin(6, { filename: "a.txt", provider: "glm" }))).toBe("400 provider");
    expect(await reason(await begin(6, { filename: "a.txt" }, NOBODY))).toBe("403 account");
    expect(await reason(await send(location, 3, Buffer.from("def")))).toBe("409 offset");
    expect(await reason(await send(location, 0, Buffer.from("abcdefg")))).toBe("413 too-large");
    expect((await fetch(server.url + location, { method: "HEAD", headers: bearer(ALICE) })).status).toBe(412);
    expect(
      (await fetch(server.url + SERVER_PATHS.uploads, { method: "OPTIONS" })).headers.get("tus-extension"),
    ).toContain("creation");

    // In the middle of a body of unknown length: the client gets the answer, and the rest does not block the connection.
    const long = httpRequest(server.url + location, {
      method: "PATCH",
      headers: { ...TUS, ...bearer(ALICE), "upload-offset": 0, "content-type": "application/offset+octet-stream" },
    });
    const answered = once(long, "response");
    long.flushHeaders();
    long.end(Buffer.alloc(20 * MEBIBYTE));
    await once(long, "finish");
    expect(((await answered) as [IncomingMessage])[0].statusCode).toBe(413);

    storeDown = true;
    const impatient = await servers.start({ ...environment, EXAI_UPLOAD_ATTEMPTS: "1" });
    const down = await send(location, 0, Buffer.from("abc"), impatient);
    expect(Number(down.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await reason(down)).toBe("503 store-down");
    storeDown = false;
    impatient.process.kill("SIGKILL");

    expect((await send(location, 0, Buffer.from("abc"))).status).toBe(204);
    expect(await reason(await send(location, 3, Buffer.from("xyz")))).toBe("460 checksum");
    expect((await ask("HEAD", location)).status).toBe(410);
    expect(await progress(location)).toMatchObject({ status: "aborted" });

    const other = await begun(6, { filename: "a.txt" });
    expect((await send(other, 0, Buffer.from("abc"))).status).toBe(204);
    expect((await ask("DELETE", other)).status).toBe(204);
    expect((await ask("DELETE", other)).status).toBe(404);
    await stack.sql(
      `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${ALICE}', 'uploads', 20, 1);
       delete from public.rate_limit_buckets where user_id = '${ALICE}' and name = 'uploads'`,
    );
    await begun(6, { filename: "a.txt" });
    expect(await reason(await begin(6, { filename: "a.txt" }))).toBe("429 rate-limit");
    // The empty bucket goes with its limit: the next uploads do not wait for it to fill.
    await stack.sql(
      "delete from public.rate_limits where user_id is not null and name = 'uploads'; delete from public.rate_limit_buckets where name = 'uploads'",
    );
  });

  it("end at the place that the server can take: the others come back at a promised time", async () => {
    const narrow = await servers.start({ ...environment, EXAI_UPLOADS_AT_ONCE: "1" });
    const one = await begun(20 * MEBIBYTE, { filename: "a.txt" });
    const two = await begun(3, { filename: "a.txt" });
    const end = await cut(one, 0, Buffer.alloc(7 * MEBIBYTE), 20 * MEBIBYTE, narrow);
    await until("it takes bytes", async () => (await progress(one)).received > 0);
    const refused = await send(two, 0, Buffer.from("abc"), narrow);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    end();
    await until("there is room", async () => (await send(two, 0, Buffer.from("abc"), narrow)).status === 204);
    narrow.process.kill("SIGKILL");
  });

  it("are seen, continued and ended by their user alone", async () => {
    const location = await begun(6, { filename: "a.txt" });
    for (const method of ["GET", "HEAD", "DELETE", "POST"])
      expect((await ask(method, location, {}, BOB)).status, method).toBe(404);
    expect((await send(location, 0, Buffer.from("abcdef"), server, BOB)).status).toBe(404);
    expect(await (await ask("GET", SERVER_PATHS.uploads, {}, BOB)).json()).toEqual({ uploads: [] });
    for (const method of ["GET", "HEAD", "DELETE", "POST", "PATCH"])
      expect((await fetch(server.url + location, { method, headers: TUS })).status, method).toBe(401);
    expect(await progress(location)).toMatchObject({ status: "open", received: 0 });
  });
});

describe("a login that does not work", () => {
  it.each([
    ["a wrong password", () => stack.serverUrl.replace(/:[^:@]+@/, ":wrong@")],
    ["the owner of the tables", () => stack.url],
  ])("keeps a release from becoming ready: %s", async (_, url) => {
    const wrong = await servers.start({ ...environment, EXAI_SERVER_DATABASE_URL: url() });
    await until("it has tried", async () => (await ready(wrong)).database === "wrong-login");
    expect(await ready(wrong)).toEqual({ status: 503, database: "wrong-login" });
    const answer = await read(ALICE, "", wrong);
    expect(answer.status).toBe(503);
    wrong.process.kill("SIGKILL");
  });
});

describe("the pool, which the slots share", () => {
  /** Statuses and reasons of requests to all of the slots at once; each refusal says when to come back. */
  const ask = async (slots: readonly TestServer[], count: number) => {
    const answers = await Promise.all(
      Array.from({ length: count }, () => slots.map((slot) => read(ALICE, "", slot))).flat(),
    );
    const reasons = answers.map(async (answer) => {
      if (answer.status !== 503) return String(answer.status);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      return `503 ${((await answer.json()) as { reason: string }).reason}`;
    });
    return [...new Set(await Promise.all(reasons))].sort();
  };

  it("bounds the connections of all servers, and refuses with a time while they are held", async () => {
    await stack.sql(
      `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${ALICE}', 'requests', 60000, 10000)`,
    );
    const green = await servers.start({ ...environment, EXAI_SLOT: "green" });
    await until("both work", async () => (await ask([server, green], 1)).join() === "200");
    const owner = new pg.Client({ connectionString: stack.url });
    await owner.connect();
    await owner.query("begin; lock table public.rate_limit_buckets in access exclusive mode");
    const answers = ask([server, green], 3 * POOL_SIZE);
    const held = "select count(*) from pg_stat_activity where usename = 'exai_server' and state <> 'idle'";
    await until("all connections are held", async () => (await stack.sql(held)) === `${POOL_SIZE}\n`);
    const pool = `${stack.name}-${PGBOUNCER.host}`;
    await until("it refuses", async () => (await tryDocker(["logs", pool])).stderr.includes("query_wait_timeout"));
    expect(await stack.sql("select count(*) from pg_stat_activity where usename = 'exai_server'")).toBe(
      `${POOL_SIZE}\n`,
    );
    await owner.query("commit");
    await owner.end();
    expect(await answers).toEqual(["200", "503 pool-full"]);
    await until("there is room", async () => (await ask([server, green], POOL_SIZE)).join() === "200");
    green.process.kill("SIGKILL");
  });

  it("is a 503 with a time while it is down, and is used again when it is back", async () => {
    await docker(["stop", `${stack.name}-${PGBOUNCER.host}`]);
    expect(await ask([server], 1)).toEqual(["503 database-down"]);
    expect(await ready()).toEqual({ status: 200, database: "down" });
    await docker(["start", `${stack.name}-${PGBOUNCER.host}`]);
    await until("it is used again", async () => (await ask([server], 1)).join() === "200", 30);
    await stack.sql("delete from public.rate_limits where user_id is not null");
  });
});

describe("a login that does not work any more", () => {
  it("leaves the server ready, since it fails for both slots, and is used again when it works", async () => {
    // Without the pool, whose own login would fail for all servers.
    const server = await servers.start({ ...environment, EXAI_SERVER_DATABASE_URL: stack.serverUrl });
    await until("it works", async () => (await ready(server)).database === "up");
    const metrics = async () => (await fetch(server.url + SERVER_PATHS.metrics)).text();
    expect(await metrics()).toContain(`${SERVER_METRICS.databaseUp} 1`);
    // The server writes its own records meanwhile, which holds a connection for a moment.
    await until("no request holds a connection", async () =>
      (await metrics()).includes(`${SERVER_METRICS.databaseConnections}{state="active"} 0`),
    );
    const { password } = new URL(stack.serverUrl);
    await stack.sql(
      "alter role exai_server password 'other'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'exai_server'",
    );
    await until("it has tried", async () => {
      await read(ALICE, "", server);
      return (await ready(server)).database === "wrong-login";
    });
    expect(await ready(server)).toEqual({ status: 200, database: "wrong-login" });
    expect(await metrics()).toContain(`${SERVER_METRICS.databaseUp} 0`);
    expect((await read(ALICE, "", server)).status).toBe(503);
    await stack.sql(`alter role exai_server password '${decodeURIComponent(password)}'`);
    await until("it works again", async () => (await ready(server)).database === "up");
    server.process.kill("SIGKILL");
  });
});

describe("a database that is down", () => {
  it("is a 503 with a time for its users, leaves the server ready for the others, and is used again when it is back", async () => {
    await docker(["stop", "--time", "20", stack.postgres]);
    const answer = await read(ALICE);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    await expect(connected(bearer(ALICE))).rejects.toThrow(/does not answer/);
    const { call, client } = await connected({});
    expect((await call("echo", { text: "hello" })).content).toMatchObject([{ text: "hello" }]);
    await client.close();
    expect(await ready()).toEqual({ status: 200, database: "down" });
    // A release that starts meanwhile is not at fault.
    const other = await servers.start(environment);
    await until("it is ready", async () => (await ready(other)).status === 200);
    other.process.kill("SIGKILL");

    await docker(["start", stack.postgres]);
    await healthy(stack.postgres);
    await until("it is used again", async () => (await read(ALICE)).status === 200, 30);
    expect(await ready()).toEqual({ status: 200, database: "up" });
  });
});

describe("a database that was restored to an earlier time", () => {
  it("gets the rows of sessions that still run", async () => {
    const { client, call } = await connected(bearer(ALICE));
    await stack.sql("delete from public.mcp_sessions; delete from public.sessions; delete from public.deployments");
    const answer = await call("chat", { provider: "kimi", prompt: "still there?" });
    expect(answer.isError).not.toBe(true);
    await until(
      "the call is recorded",
      async () =>
        (await stack.sql("select count(*) from public.tool_calls where mcp_session_id is not null")) === "1\n",
    );
    expect(await stack.sql("select count(*) from public.mcp_sessions")).toBe("1\n");
    await client.close();
  });
});

describe("through the server's own login", () => {
  it("no user, no anon and not the server itself reaches a row of another user, with any command on any table", async () => {
    await stack.sql(ROWS_OF_ALICE);
    const client = new pg.Client({ connectionString: environment.EXAI_SERVER_DATABASE_URL });
    await client.connect();
    const tables = (
      await stack.sql("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'")
    )
      .trim()
      .split("\n");
    const owned = new Map(
      (
        await stack.sql(
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
    expect(await stack.sql(rows.join(" union all "))).toBe("");
  });
});

describe("the job of a cluster", () => {
  it("gives the role its password as a verifier, again and again, and the old one no longer works", async () => {
    const password = "another password";
    const files = `printf %s "$URL" > /tmp/url; printf %s "$VERIFIER" > /tmp/verifier`;
    const job = () =>
      docker([
        ...["exec", "--env", `URL=postgres://postgres:${stack.password}@127.0.0.1/postgres?sslmode=disable`],
        ...["--env", `VERIFIER=${scramVerifier("exai_server", password)}`, "--env", "LOGIN_ROLE=exai_server"],
        ...["--env", "DATABASE_URL_FILE=/tmp/url", "--env", "VERIFIER_FILE=/tmp/verifier", stack.postgres],
        ...["bash", "-c", `${files}; exec exai-postgres login`],
      ]);
    await job();
    await job();
    const attempt = async (url: string) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.end();
    };
    await attempt(stack.serverUrl.replace(/:[^:@]+@/, `:${encodeURIComponent(password)}@`));
    await expect(attempt(stack.serverUrl)).rejects.toThrow(/password authentication failed/);
  });
});
