import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Results } from "../../../../cli/results.ts";
import { newApiKey } from "../../../../contract/secrets/api-key.ts";
import { SERVER_PATHS } from "../../../../contract/server.ts";
import { runProgram } from "../../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../../operations/images/paths.ts";
import { EXAI, eventsIn } from "../../../support/local-instance.ts";
import { connected, openWebSocket, until } from "../../reference-server/harness.ts";
import { ALICE, bearer, BOB, NOBODY, type ServerWorld } from "./world.ts";

type KeyVerb = "api-key create" | "api-key list" | "api-key revoke";

/** API keys: issued and revoked by the command, and accepted by the server as their user. */
export function keyTests(world: ServerWorld): void {
  describe("API keys", () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "exai-keys-"));
    });
    afterAll(async () => {
      await world.stack.sql("delete from public.api_keys where name like 'test %'");
      rmSync(folder, { recursive: true });
    });

    const run = (words: readonly string[]) =>
      runProgram(EXAI, [...words, "--set", "instance=exai-keys", "--set", `homeDirectory=${folder}/home`], {
        cwd: PROJECT_ROOT,
        env: { EXAI_DATABASE_URL: world.stack.url },
      });
    async function exai<Verb extends KeyVerb>(verb: Verb, ...words: readonly string[]): Promise<Results[Verb]> {
      const { code, stdout, stderr } = await run(["--json", ...verb.split(" "), ...words]);
      expect(code, stdout + stderr).toBe(0);
      return eventsIn(stdout).at(-1)?.data as unknown as Results[Verb];
    }
    const issue = (user: string, ...words: readonly string[]) =>
      exai("api-key create", `test ${user.slice(-1)}`, "--user", user, ...words);
    const by = (key: string) => ({ authorization: `Bearer ${key}` });
    const ask = (key: string, query = "", path: string = SERVER_PATHS.conversations, at = world.server) =>
      fetch(at.url + path + query, { headers: by(key) });
    const listed = async (answer: Response) =>
      ((await answer.json()) as { conversations: { id: string }[] }).conversations.map(({ id }) => id);

    it("are shown once, and stored as hashes", async () => {
      const { key, apiKey } = await issue(ALICE, "--scopes", "chat,files", "--expires-in", "90d");
      expect(apiKey).toMatchObject({
        user: ALICE,
        scopes: ["chat", "files"],
        state: "valid",
        prefix: key.slice(0, 13),
      });
      expect(Date.parse(apiKey.expiresAt) - Date.parse(apiKey.createdAt)).toBe(90 * 86_400_000);
      const stored = await world.stack.sql(`select k::text from public.api_keys as k where id = '${apiKey.id}'`);
      expect(stored).toContain(apiKey.prefix);
      expect(stored).not.toContain(key.slice(13));
      expect(await world.stack.sql("select count(*) from public.audit_log where action = 'api_key.create'")).toBe(
        "1\n",
      );
      const { stdout } = await run(["--plain", "api-key", "list", "--user", ALICE]);
      expect(stdout).toContain(apiKey.prefix);
      expect(stdout).not.toContain(key.slice(13));
    });

    it("act as their user alone: two users reach no row of each other", async () => {
      const keys = new Map([
        [ALICE, (await issue(ALICE, "--scopes", "chat,files")).key],
        [BOB, (await issue(BOB, "--scopes", "chat,files")).key],
      ]);
      const made = new Map<string, string>();
      for (const [user, key] of keys) {
        const { client, call } = await world.connected(by(key));
        const { structuredContent } = await call("chat", { provider: "kimi", prompt: `of ${user}` });
        made.set(user, (structuredContent as { conversation_id: string }).conversation_id);
        await client.close();
      }
      const owners = await world.stack.sql(
        `select user_id from public.conversations where id in ('${[...made.values()].join("','")}') order by user_id`,
      );
      expect(owners).toBe(`${ALICE}\n${BOB}\n`);
      let leaks = 0;
      for (const [user, key] of keys) {
        const own = new Set(
          (await world.stack.sql(`select id from public.conversations where user_id = '${user}'`)).trim().split("\n"),
        );
        const seen = await listed(await ask(key));
        expect(seen).toContain(made.get(user));
        leaks += seen.filter((id) => !own.has(id)).length;
        for (const [other, id] of made) if (other !== user && (await ask(key, `?id=${id}`)).status !== 404) leaks += 1;
        // The same as with the user's token.
        expect(seen).toEqual(await listed(await world.read(user)));
        const uploads = (await (await ask(key, "", SERVER_PATHS.uploads)).json()) as { uploads: unknown[] };
        const tokens = await fetch(world.server.url + SERVER_PATHS.uploads, { headers: bearer(user) });
        expect(uploads).toEqual(await tokens.json());
      }
      expect(leaks).toBe(0);
      // A session does not pass from one user to the other.
      const { client, transport } = await world.connected(by(keys.get(ALICE) ?? ""));
      const stolen = await fetch(world.server.url + SERVER_PATHS.mcp, {
        method: "DELETE",
        headers: { ...by(keys.get(BOB) ?? ""), "mcp-session-id": transport.sessionId ?? "" },
      });
      expect(stolen.status).toBe(404);
      await client.close();
    });

    it("are refused from the next request on once they are revoked or have expired, and never without being known", async () => {
      const { key, apiKey } = await issue(ALICE);
      expect((await ask(key)).status).toBe(200);
      expect(await exai("api-key revoke", apiKey.prefix)).toMatchObject({ unchanged: false });
      const refused = await ask(key);
      expect([refused.status, await refused.json()]).toEqual([401, { error: "the API key was revoked" }]);
      expect(await exai("api-key revoke", apiKey.id)).toMatchObject({ unchanged: true, apiKey: { state: "revoked" } });
      await expect(world.connected(by(key))).rejects.toThrow(/revoked/);

      const short = await issue(ALICE);
      expect((await ask(short.key)).status).toBe(200);
      await world.stack.sql(
        `update public.api_keys set created_at = now() - interval '2 s', expires_at = now() - interval '1 s' where id = '${short.apiKey.id}'`,
      );
      expect(await (await ask(short.key)).json()).toEqual({ error: "the API key has expired" });
      expect(await (await ask(newApiKey())).json()).toEqual({ error: "the API key is not known" });
      const { apiKeys } = await exai("api-key list", "--user", ALICE);
      const states = new Map(apiKeys.map(({ id, state }) => [id, state]));
      expect([states.get(apiKey.id), states.get(short.apiKey.id)]).toEqual(["revoked", "expired"]);
    });

    it("are for their scopes alone", async () => {
      const [chat, files] = [await issue(BOB), await issue(BOB, "--scopes", "files")];
      expect((await ask(chat.key)).status).toBe(200);
      expect((await ask(chat.key, "", SERVER_PATHS.uploads)).status).toBe(403);
      expect((await ask(files.key, "", SERVER_PATHS.uploads)).status).toBe(200);
      expect((await ask(files.key)).status).toBe(403);
      await expect(world.connected(by(files.key))).rejects.toThrow(/lacks the scope chat/);
    });

    it("take from the limit of their user, as tokens do", async () => {
      const { key } = await issue(BOB);
      await world.stack.sql(
        `insert into public.rate_limits (user_id, name, per_minute, burst) values ('${BOB}', 'requests', 1, 3);
         delete from public.rate_limit_buckets where user_id = '${BOB}'`,
      );
      const statuses = [await ask(key), await world.read(BOB), await ask(key), await ask(key)];
      expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
      await world.restoreLimits();
      await world.stack.sql(`delete from public.rate_limit_buckets where user_id = '${BOB}'`);
    });

    it("have the time of their last use, which is written once a minute", async () => {
      const { key, apiKey } = await issue(ALICE);
      const used = () => world.stack.sql(`select last_used_at from public.api_keys where id = '${apiKey.id}'`);
      expect(await used()).toBe("\n");
      await ask(key);
      const first = await used();
      expect(first).not.toBe("\n");
      await ask(key);
      expect(await used()).toBe(first);
      await world.stack.sql(
        `update public.api_keys set last_used_at = now() - interval '61 s' where id = '${apiKey.id}'`,
      );
      await Promise.all([ask(key), ask(key), ask(key)]);
      expect(await used()).not.toBe(first);
    });

    it("open WebSockets by the header, which are closed soon after the key is revoked", async () => {
      const server = await world.start({ EXAI_KEY_CHECK_SECONDS: "1" });
      const { key, apiKey } = await issue(ALICE);
      const socket = await connected(server.webSocketUrl, by(key));
      const closed = new Promise<number>((resolve) => {
        socket.once("close", resolve);
      });
      const stream = await streamOf(server.url, key);
      expect(await openWebSocket(`${server.webSocketUrl}/?token=${key}`)).toEqual({ status: 401 });
      expect(await openWebSocket(server.webSocketUrl, by(newApiKey()))).toEqual({ status: 401 });
      await exai("api-key revoke", apiKey.prefix);
      expect(await closed).toBe(1008);
      await stream.ended;
      expect(await openWebSocket(server.webSocketUrl, by(key))).toEqual({ status: 401 });
      expect(server.output()).not.toContain(key);
      server.process.kill("SIGKILL");
    });

    /** An MCP session with an open event stream. */
    async function streamOf(url: string, key: string) {
      const headers = { ...by(key), accept: "application/json, text/event-stream", "content-type": "application/json" };
      const begun = await fetch(url + SERVER_PATHS.mcp, {
        method: "POST",
        headers,
        body: JSON.stringify({
          ...{ jsonrpc: "2.0", id: 1, method: "initialize" },
          params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } },
        }),
      });
      expect(begun.status).toBe(200);
      const id = begun.headers.get("mcp-session-id") ?? "";
      await begun.text();
      const stream = await fetch(url + SERVER_PATHS.mcp, { headers: { ...headers, "mcp-session-id": id } });
      expect(stream.status).toBe(200);
      return { ended: stream.text() };
    }

    it("that are guessed do not keep users waiting", async () => {
      await world.liftLimits();
      const { key } = await issue(ALICE);
      expect((await ask(key)).status).toBe(200);
      const guesses = Array.from({ length: 300 }, () => ask(newApiKey()));
      const known: number[] = [];
      for (let count = 0; count < 10; count += 1) {
        const began = performance.now();
        expect((await ask(key)).status).toBe(200);
        known.push(performance.now() - began);
      }
      const statuses = new Set((await Promise.all(guesses)).map(({ status }) => status));
      expect([...statuses].filter((status) => status !== 401 && status !== 503)).toEqual([]);
      // Seconds on a busy machine; behind the guesses, a user would be refused or wait for all of them.
      expect(Math.max(...known)).toBeLessThan(30_000);
      await world.restoreLimits();
    });

    it.each([
      ["a user without an account", ["create", "x", "--user", NOBODY], 2, "not-found"],
      ["a key that does not exist", ["revoke", "exai_00000000"], 2, "not-found"],
    ])("say so for %s", async (_, words, code, error) => {
      const ran = await run(["--json", "api-key", ...words]);
      expect(ran.code).toBe(code);
      expect(eventsIn(ran.stdout).at(-1)).toMatchObject({ type: "error", code: error });
    });

    it("are refused with a time while the database is not reached", async () => {
      const { key } = await issue(ALICE);
      await until("it is accepted", async () => (await ask(key)).status === 200);
      const url = new URL(world.environment.EXAI_SERVER_DATABASE_URL ?? "");
      url.port = "1";
      const other = await world.start({ EXAI_SERVER_DATABASE_URL: url.href });
      const answer = await ask(key, "", SERVER_PATHS.conversations, other);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      other.process.kill("SIGKILL");
    });
  });
}
