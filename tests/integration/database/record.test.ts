import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Results } from "../../../cli/results.ts";
import { LABELS } from "../../../contract/labels.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { openStack } from "../../../platforms/stack.ts";
import { eventsIn, LocalInstance } from "../../support/local-instance.ts";
import { signToken, until } from "../reference-server/harness.ts";

const USERS = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"] as const;

/** A value that users send, and that nothing but the file may have. */
const VALUE = "a-value-of-users-91b3";

interface Line {
  readonly role: string;
  readonly claims?: { readonly sub: string };
  readonly statements: readonly { readonly sql: string; readonly values: readonly unknown[]; readonly role?: string }[];
}

let stack: LocalInstance;
let main: pg.Client;
let folder: string;
let key: string;
let containers: readonly string[];

beforeAll(async () => {
  stack = await LocalInstance.create("record");
  folder = mkdtempSync(join(tmpdir(), "exai-record-"));
  await stack.events(["up"], { grafana: "false" });
  const texts = { instance: stack.name, homeDirectory: join(".exai", stack.name), ...stack.ports };
  const settings = Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, String(value)]));
  main = new pg.Client((await openStack("local", settings).branches({ signal: new AbortController().signal })).main);
  await main.connect();
  await main.query("insert into auth.users (id) select unnest($1::uuid[])", [USERS]);
  await main.query("insert into public.conversations (user_id, title) select unnest($1::uuid[]), 'a title'", [USERS]);
  key =
    (JSON.parse(readFileSync(join(stack.home, "secrets.json"), "utf8")) as Record<string, string>)["generated-jwt"] ??
    "";
  // The server's first try may be before the pool reaches the database.
  await until("the database answers", async () => (await conversations(USERS[0])).status === 200, 60);
  const listed = await docker(["ps", "--quiet", "--filter", `label=${LABELS.instance}=${stack.name}`]);
  containers = listed.split(/\s+/).filter(Boolean);
});
afterAll(async () => {
  await main.end();
  await stack.remove();
  rmSync(folder, { recursive: true });
});

const address = () => `http://127.0.0.1:${String(stack.ports.httpPort)}`;

const bearer = (sub: string) => ({
  authorization: `Bearer ${signToken(key, { sub, exp: Math.floor(Date.now() / 1000) + 600 })}`,
});

const conversations = (sub: string) => fetch(address() + SERVER_PATHS.conversations, { headers: bearer(sub) });

/** What users do: sessions whose client has a name, tools, and their conversations. */
async function traffic(): Promise<void> {
  for (const sub of USERS) {
    const client = new Client({ name: VALUE, version: "1" });
    const requestInit = { headers: bearer(sub) };
    await client.connect(new StreamableHTTPClientTransport(new URL(SERVER_PATHS.mcp, address()), { requestInit }));
    for (let call = 0; call < 3; call += 1) {
      await client.callTool({ name: "echo", arguments: { text: "hello" } });
      expect((await conversations(sub)).status).toBe(200);
    }
    await client.close();
  }
}

/** Traffic until a command has ended, with some pauses: a user has a limit of requests. */
async function trafficDuring(command: Promise<unknown>): Promise<void> {
  let done = false;
  const end = () => (done = true);
  void command.then(end, end);
  await until(
    "the command ends",
    async () => {
      await traffic();
      await sleep(1000);
      return done;
    },
    60,
  );
}

const linesOf = (file: string) =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

/** Everything that could make PostgreSQL write statements somewhere. */
const settings = async () =>
  (
    await main.query<object>(
      "select name, setting from pg_settings where source not in ('session', 'client') order by 1",
    )
  ).rows;

const logs = async () =>
  (
    await Promise.all(
      containers.map(async (id) => {
        const { stdout, stderr } = await tryDocker(["logs", id]);
        return stdout + stderr;
      }),
    )
  ).join("\n");

const ENDS = /"a recording of the workload ends"/g;

/** Starts a recording for longer than the test, sends traffic, does something to the command, and waits until the server has ended it. */
async function endedBy(file: string, signal: NodeJS.Signals) {
  const before = ((await logs()).match(ENDS) ?? []).length;
  const command = stack.start(["branch", "record", "--for", "30m", "--out", file], {}, "pipe");
  let printed = "";
  command.stdout?.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const exited = once(command, "close");
  await until("it records", async () => Promise.resolve(printed.includes('"recording ')), 60);
  await traffic();
  await until("lines", async () => Promise.resolve(linesOf(file).length > 4));
  command.kill(signal);
  const [code] = (await exited) as [number | null];
  await until("the server has ended it", async () => ((await logs()).match(ENDS) ?? []).length > before, 15);
  for (const id of containers) expect(await docker(["top", id, "-eo", "pid,args"])).not.toContain("record-workload");
  return { code, events: printed };
}

describe("a recording of the workload of a local stack", () => {
  let before: unknown;
  const file = () => join(folder, "workload.jsonl");

  it("has what users ask, with role, claims and values, in a file of its owner", async () => {
    before = await settings();
    const recording = stack.events(["branch", "record", "--for", "15s", "--out", file()]);
    await trafficDuring(recording);
    const data = (await recording).at(-1)?.data as unknown as Results["branch record"];
    const lines = linesOf(file());
    expect(data).toMatchObject({ transactions: lines.length, users: 2, leftOut: 0, dropped: 0, ended: "time" });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const statements = lines.flatMap((line) =>
      line.statements.map((each) => ({ ...each, by: each.role ?? line.role })),
    );
    expect(new Set(statements.map(({ by }) => by))).toEqual(new Set(["authenticated", "exai_server"]));
    expect(new Set(lines.flatMap(({ claims }) => claims?.sub ?? []))).toEqual(new Set(USERS));
    expect(statements.some(({ values }) => values.includes(VALUE))).toBe(true);
    expect(await settings()).toEqual(before);
  });

  it("replaces the values of columns that are named", async () => {
    const redacted = join(folder, "redacted.jsonl");
    const recording = stack.events(["branch", "record", "--for", "8s", "--redact", "client_name", "--out", redacted]);
    await trafficDuring(recording);
    await recording;
    const text = readFileSync(redacted, "utf8");
    expect(text).toContain("client_name");
    expect(text).not.toContain(VALUE);
  });

  it("is not written over a file", async () => {
    const [last] = (await stack.events(["branch", "record", "--out", file()], {}, 2)).slice(-1);
    expect(last).toMatchObject({ type: "error", code: "invalid-argument" });
  });

  it("ends with Ctrl-C, and keeps what it has", async () => {
    const interrupted = join(folder, "interrupted.jsonl");
    const { code, events } = await endedBy(interrupted, "SIGINT");
    expect(code).toBe(130);
    expect(eventsIn(events).at(-1)).toMatchObject({ type: "result", data: { ended: "interrupted" } });
    expect(linesOf(interrupted).length).toBeGreaterThan(4);
    expect(await settings()).toEqual(before);
  });

  it("ends with a command that is killed", async () => {
    const killed = join(folder, "killed.jsonl");
    await endedBy(killed, "SIGKILL");
    const { length } = linesOf(killed);
    await traffic();
    expect(linesOf(killed)).toHaveLength(length);
    expect(await settings()).toEqual(before);
  });

  it("leaves no value in a log", async () => {
    expect(await logs()).not.toContain(VALUE);
  });

  it("is replayed by shadow without a difference", async () => {
    const backup = "select from public.backup_history where status = 'completed'";
    await until("a backup", async () => (await main.query(backup)).rowCount !== 0, 120);
    await stack.events(["branch", "create", "one"]);
    const [last] = (await stack.events(["branch", "shadow", "one", "--workload", file(), "--slower", "1000"])).slice(
      -1,
    );
    const shadow = last?.data as unknown as Results["branch shadow"];
    expect(shadow).toMatchObject({ different: 0, unstable: [], transactions: linesOf(file()).length });
    expect(shadow.operations).toBeGreaterThan(shadow.transactions / 2);
  });
});
