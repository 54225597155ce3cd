import pg from "pg";
import { describe, expect, it } from "vitest";
import { PGBOUNCER } from "../../../../components/database/paths.ts";
import { SERVER_METRICS, SERVER_PATHS } from "../../../../contract/server.ts";
import { docker, tryDocker } from "../../../../operations/docker/cli.ts";
import { healthy } from "../../../support/postgres-stack.ts";
import { until, type TestServer } from "../../reference-server/harness.ts";
import { ALICE, bearer, POOL_SIZE, type ServerWorld } from "./world.ts";

/** What users and the rollout see while the database, its pool or a login fails. */
export function outageTests(world: ServerWorld): void {
  describe("a login that does not work", () => {
    it.each([
      ["a wrong password", () => world.stack.serverUrl.replace(/:[^:@]+@/, ":wrong@")],
      ["the owner of the tables", () => world.stack.url],
    ])("keeps a release from becoming ready: %s", async (_, url) => {
      const wrong = await world.start({ EXAI_SERVER_DATABASE_URL: url() });
      await until("it has tried", async () => (await world.ready(wrong)).database === "wrong-login");
      expect(await world.ready(wrong)).toEqual({ status: 503, database: "wrong-login" });
      const answer = await world.read(ALICE, "", wrong);
      expect(answer.status).toBe(503);
      wrong.process.kill("SIGKILL");
    });
  });

  describe("the pool, which the slots share", () => {
    /** Statuses and reasons of requests to all of the slots at once; each refusal says when to come back. */
    const ask = async (slots: readonly TestServer[], count: number) => {
      const answers = await Promise.all(
        Array.from({ length: count }, () => slots.map((slot) => world.read(ALICE, "", slot))).flat(),
      );
      const reasons = answers.map(async (answer) => {
        if (answer.status !== 503) return String(answer.status);
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
        return `503 ${((await answer.json()) as { reason: string }).reason}`;
      });
      return [...new Set(await Promise.all(reasons))].sort();
    };

    it("bounds the connections of all servers, and refuses with a time while they are held", async () => {
      await world.liftLimits();
      const green = await world.start({ EXAI_SLOT: "green" });
      await until("both work", async () => (await ask([world.server, green], 1)).join() === "200");
      const owner = new pg.Client({ connectionString: world.stack.url });
      await owner.connect();
      await owner.query("begin; lock table public.rate_limit_buckets in access exclusive mode");
      const answers = ask([world.server, green], 3 * POOL_SIZE);
      const held = "select count(*) from pg_stat_activity where usename = 'exai_server' and state <> 'idle'";
      await until("all connections are held", async () => (await world.stack.sql(held)) === `${POOL_SIZE}\n`);
      const pool = `${world.stack.name}-${PGBOUNCER.host}`;
      await until("it refuses", async () => (await tryDocker(["logs", pool])).stderr.includes("query_wait_timeout"));
      expect(await world.stack.sql("select count(*) from pg_stat_activity where usename = 'exai_server'")).toBe(
        `${POOL_SIZE}\n`,
      );
      await owner.query("commit");
      await owner.end();
      expect(await answers).toEqual(["200", "503 pool-full"]);
      await until("there is room", async () => (await ask([world.server, green], POOL_SIZE)).join() === "200");
      green.process.kill("SIGKILL");
    });

    it("is a 503 with a time while it is down, and is used again when it is back", async () => {
      await docker(["stop", `${world.stack.name}-${PGBOUNCER.host}`]);
      expect(await ask([world.server], 1)).toEqual(["503 database-down"]);
      expect(await world.ready()).toEqual({ status: 200, database: "down" });
      await docker(["start", `${world.stack.name}-${PGBOUNCER.host}`]);
      await until("it is used again", async () => (await ask([world.server], 1)).join() === "200", 30);
    });

    it("is a 503 with a time while the database alone has another password", async () => {
      const { password } = new URL(world.stack.serverUrl);
      await world.stack.sql(
        "alter role exai_server password 'other'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'exai_server'",
      );
      // The first requests wait for a login, which PgBouncer tries again meanwhile.
      await until("it says so", async () => (await ask([world.server], 1)).join() === "503 database-down", 30);
      expect(await world.ready()).toEqual({ status: 200, database: "down" });
      await world.stack.sql(`alter role exai_server password '${decodeURIComponent(password)}'`);
      await until("it is used again", async () => (await ask([world.server], 1)).join() === "200", 30);
      await world.restoreLimits();
    });
  });

  describe("a login that does not work any more", () => {
    it("leaves the server ready, since it fails for both slots, and is used again when it works", async () => {
      // Without the pool, whose own login would fail for all servers.
      const server = await world.start({ EXAI_SERVER_DATABASE_URL: world.stack.serverUrl });
      await until("it works", async () => (await world.ready(server)).database === "up");
      const metrics = async () => (await fetch(server.url + SERVER_PATHS.metrics)).text();
      expect(await metrics()).toContain(`${SERVER_METRICS.databaseUp} 1`);
      // The server writes its own records meanwhile, which holds a connection for a moment.
      await until("no request holds a connection", async () =>
        (await metrics()).includes(`${SERVER_METRICS.databaseConnections}{state="active"} 0`),
      );
      const { password } = new URL(world.stack.serverUrl);
      await world.stack.sql(
        "alter role exai_server password 'other'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'exai_server'",
      );
      await until("it has tried", async () => {
        await world.read(ALICE, "", server);
        return (await world.ready(server)).database === "wrong-login";
      });
      expect(await world.ready(server)).toEqual({ status: 200, database: "wrong-login" });
      expect(await metrics()).toContain(`${SERVER_METRICS.databaseUp} 0`);
      expect((await world.read(ALICE, "", server)).status).toBe(503);
      await world.stack.sql(`alter role exai_server password '${decodeURIComponent(password)}'`);
      await until("it works again", async () => (await world.ready(server)).database === "up");
      server.process.kill("SIGKILL");
    });
  });

  describe("a database that is down", () => {
    it("is a 503 with a time for its users, leaves the server ready for the others, and is used again when it is back", async () => {
      await docker(["stop", "--time", "20", world.stack.postgres]);
      const answer = await world.read(ALICE);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      await expect(world.connected(bearer(ALICE))).rejects.toThrow(/does not answer/);
      const { call, client } = await world.connected({});
      expect((await call("echo", { text: "hello" })).content).toMatchObject([{ text: "hello" }]);
      await client.close();
      expect(await world.ready()).toEqual({ status: 200, database: "down" });
      // A release that starts meanwhile is not at fault.
      const other = await world.start();
      await until("it is ready", async () => (await world.ready(other)).status === 200);
      other.process.kill("SIGKILL");

      await docker(["start", world.stack.postgres]);
      await healthy(world.stack.postgres);
      await until("it is used again", async () => (await world.read(ALICE)).status === 200, 30);
      expect(await world.ready()).toEqual({ status: 200, database: "up" });
    });
  });

  describe("a database that was restored to an earlier time", () => {
    it("gets the rows of sessions that still run", async () => {
      const { client, call } = await world.connected(bearer(ALICE));
      await world.stack.sql(
        "delete from public.mcp_sessions; delete from public.sessions; delete from public.deployments",
      );
      const answer = await call("chat", { provider: "kimi", prompt: "still there?" });
      expect(answer.isError).not.toBe(true);
      await until(
        "the call is recorded",
        async () =>
          (await world.stack.sql("select count(*) from public.tool_calls where mcp_session_id is not null")) === "1\n",
      );
      expect(await world.stack.sql("select count(*) from public.mcp_sessions")).toBe("1\n");
      await client.close();
    });
  });
}
