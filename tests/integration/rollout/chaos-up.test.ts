import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { HEADERS, SERVER_PATHS } from "../../../contract/server.ts";
import { docker } from "../../../operations/docker/cli.ts";
import { openStack } from "../../../platforms/stack.ts";
import { freePort } from "../../support/free-ports.ts";
import { failures } from "../../support/load/http.ts";
import { Load } from "../../support/load/load.ts";
import { SignedInUsers } from "../../support/load/signed-in.ts";
import { LocalInstance, BRIEF_GATES } from "../../support/local-instance.ts";
import { bridgeAddress } from "../../support/reach.ts";
import { until } from "../../support/rollout/stack.ts";
import { signToken } from "../../support/token-users.ts";

let instance: LocalInstance;
let controller: ChildProcess | undefined;
/** Answers as Kimi does, on this machine, which containers reach by the address of Docker's own bridge. */
const provider = createServer((request, response) => {
  request.resume();
  const answer = { choices: [{ message: { content: "answer" } }], usage: { prompt_tokens: 1, completion_tokens: 1 } };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
});
beforeAll(async () => {
  const [port, bridge] = await Promise.all([freePort(), bridgeAddress()]);
  provider.listen(port, bridge);
  await once(provider, "listening");
  instance = await LocalInstance.create("chaos");
  const kimi = { kimiUrl: `http://${bridge}:${String(port)}/v1`, kimiApiKey: "key" };
  await instance.events(["up"], { ...kimi, grafana: "false" });
});
afterAll(async () => {
  controller?.kill("SIGKILL");
  provider.closeAllConnections();
  provider.close();
  await instance.remove();
});

/** The weights that the router itself has. */
async function weights(): Promise<unknown> {
  const ran = await instance.exai(["rollout", "status"]);
  const lines = ran.stdout.split("\n").filter((line) => line.startsWith("{"));
  const events = lines.map(
    (line) => JSON.parse(line) as { type: string; data?: { tableInForce?: { weights: unknown } } },
  );
  return events.find(({ type }) => type === "result")?.data?.tableInForce?.weights;
}

const QUARTER = { blue: 75, green: 25 };

it("`up` in the middle of a rollout is refused while a controller leads it, and keeps its weights otherwise", async () => {
  const load = new Load({
    routerUrl: `http://127.0.0.1:${String(instance.ports.httpPort)}`,
    webSocketUrl: `ws://127.0.0.1:${String(instance.ports.wsPort)}`,
    ...{ requestsPerSecond: 30, webSockets: 0, mcpSessions: 5 },
  });
  await load.start();
  controller = instance.start(
    ["cutover", "--image", LOCAL_IMAGES.referenceServer, "--steps", "25,100", "--hold", "5m", "--again"],
    BRIEF_GATES,
  );
  await until("a quarter of the users on green", 120, async () => {
    if (controller?.exitCode !== null) throw new Error(`the cutover ended with ${String(controller?.exitCode)}`);
    return JSON.stringify(await weights()) === JSON.stringify(QUARTER);
  });

  const refused = await instance.exai(["up"]);
  expect(refused.code, refused.stdout).toBe(3);
  expect(refused.stdout + refused.stderr).toContain(`process ${String(controller.pid)}`);
  expect(await weights()).toEqual(QUARTER);

  const exited = once(controller, "exit");
  controller.kill("SIGKILL");
  await exited;
  const up = await instance.exai(["up"]);
  expect(up.code, up.stdout).toBe(0);
  expect(up.stdout).toMatch(/rollout is unfinished in state \\"shift 25 %\\"/);
  expect(await weights()).toEqual(QUARTER);

  const aborted = await instance.exai(["rollout", "abort"]);
  expect(aborted.code, aborted.stdout).toBe(0);
  expect(await weights()).toEqual({ blue: 100, green: 0 });
  const { requests, mcp } = await load.stop();
  const failed = failures(requests).length;
  process.stdout.write(
    `chaos: up at 25 %: ${JSON.stringify({ requests: requests.length, failed, mcpFailed: mcp.failed.length, mcpWrongSlot: mcp.wrongSlot })}\n`,
  );
  expect({ failed, mcpFailed: mcp.failed, wrong: mcp.wrongSlot }).toEqual({ failed: 0, mcpFailed: [], wrong: 0 });
});

it("users with an account keep their questions through a cutover and a rollback, and are never refused", async () => {
  const accounts = Array.from({ length: 4 }, (_, number) => `00000000-0000-4000-8000-00000000000${String(number)}`);
  const secrets = JSON.parse(readFileSync(join(instance.home, "secrets.json"), "utf8")) as Record<string, string>;
  const ids = { instance: instance.name, homeDirectory: join(".exai", instance.name) };
  const ports = Object.entries(instance.ports).map(([key, value]) => [key, String(value)]);
  const opened = openStack("local", { ...ids, ...(Object.fromEntries(ports) as Record<string, string>) });
  const { main } = await opened.branches({ signal: new AbortController().signal });
  const database = new pg.Client(main);
  await database.connect();
  const rows = async (sql: string) => (await database.query<Record<string, unknown>>(sql)).rows;
  try {
    for (const id of accounts)
      await database.query(
        `with account as (insert into auth.users (id) values ('${id}') returning id)
         insert into public.rate_limits (user_id, name, per_minute, burst)
           select id, name, 100000, 1000 from account, unnest(array['requests', 'chats']) as name`,
      );
    const router = `http://127.0.0.1:${String(instance.ports.httpPort)}`;
    const tokens = accounts.map((id) => ({ id, token: signToken(secrets["generated-jwt"] ?? "", 3600, id).token }));
    const users = new SignedInUsers(router, tokens);
    const answers = () => accounts.map((id) => users.answered.get(id)?.length ?? 0);
    const goOn = async (when: string) => {
      const before = answers();
      await until(when, 60, () =>
        Promise.resolve(answers().every((count, number) => count > (before[number] ?? 0) + 6)),
      );
    };
    try {
      await goOn("answers");
      const steps = ["--steps", "50,100", "--hold", "2s", "--bake", "2s"];
      await instance.events(["cutover", "--image", LOCAL_IMAGES.referenceServer, ...steps, "--again"], BRIEF_GATES);
      await goOn("answers after the cutover");
      await instance.events(["rollback"]);
      await goOn("answers after the rollback");
    } finally {
      await users.stop();
    }
    expect(users.failures).toEqual([]);
    expect(
      await rows(
        `select slot, count(distinct t.user_id)::int as users from public.tool_calls as t
           join public.mcp_sessions as s on s.id = t.mcp_session_id group by slot order by slot`,
      ),
    ).toEqual([
      { slot: "blue", users: accounts.length },
      { slot: "green", users: accounts.length },
    ]);
    // Each user's rows have that user's questions alone, and all that were answered.
    for (const { id, token } of tokens) {
      const kept = await rows(`select content from public.messages where user_id = '${id}' and role = 'user'`);
      const contents = new Set(kept.map(({ content }) => content));
      expect((users.answered.get(id) ?? []).filter((question) => !contents.has(question))).toEqual([]);
      expect(kept.filter(({ content }) => !String(content).endsWith(id))).toEqual([]);
      const read = await fetch(router + SERVER_PATHS.conversations, { headers: { authorization: `Bearer ${token}` } });
      expect(read.status).toBe(200);
    }
  } finally {
    await database.end();
  }
});

it("`rollback --to` deploys the first release again, moves the users to it and records it", async () => {
  const second = `exai/reference-server:second-${String(process.pid)}`;
  const released = async () =>
    (await fetch(`http://127.0.0.1:${String(instance.ports.httpPort)}${SERVER_PATHS.ready}`)).headers.get(
      HEADERS.release,
    );
  const first = await released();
  await docker(["build", "--tag", second, "-"], {
    input: `FROM ${LOCAL_IMAGES.referenceServer}\nENV RELEASE=second\n`,
  });
  try {
    await instance.events(["cutover", "--image", second, "--steps", "100", "--bake", "1s"], BRIEF_GATES);
    expect(await released()).toBe("second");
    // The first release is no longer warm.
    await instance.events(["rollout", "finish", "--drain", "0s"]);
    const result = (await instance.events(["rollback", "--to", LOCAL_IMAGES.referenceServer], BRIEF_GATES)).at(-1);
    expect(result).toMatchObject({ type: "result", data: { outcome: "completed" } });
    expect(await released()).toBe(first);
    const history = (await instance.events(["rollout", "history"])).at(-1)?.data as { rollouts: object[] };
    expect(history.rollouts.at(-1)).toMatchObject({
      ...{ image: LOCAL_IMAGES.referenceServer, outcome: "completed", who: expect.any(String) as string },
      reason: `rollback to ${LOCAL_IMAGES.referenceServer}`,
    });
    const { releases } = (await instance.events(["releases"])).at(-1)?.data as { releases: object[] };
    expect(releases.slice(0, 2)).toMatchObject([
      { image: LOCAL_IMAGES.referenceServer, state: "serving" },
      { image: second, state: "warm" },
    ]);
  } finally {
    await docker(["image", "rm", "--force", second]);
  }
});
