import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Recorder } from "../../../images/reference-server/src/database/recorder.ts";
import { createLog } from "../../../images/reference-server/src/log.ts";

let folder: string;
let path: string;
let recorder: Recorder;
const log = createLog("error", { release: "test" });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "exai-recorder-"));
  path = join(folder, "socket");
  recorder = new Recorder(path, log);
  await expect.poll(() => statSync(path).mode & 0o777).toBe(0o600);
});
afterEach(() => {
  recorder.close();
  rmSync(folder, { recursive: true });
});

/** A reader of a recording: its lines, and its end. */
async function reader(request: string) {
  const socket = connect({ path, allowHalfOpen: true });
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = once(socket, "end").then(() => text.trimEnd().split("\n"));
  socket.write(`${request}\n`);
  await expect.poll(() => text).toContain("\n");
  return { socket, ended };
}

const end = (socket: Socket) => socket.end();

it("records nothing without a reader", () => {
  expect(recorder.begin()).toBeUndefined();
});

it("hands over whole transactions, with the roles of their statements and values as PostgreSQL reads them", async () => {
  const { socket, ended } = await reader("60 1");
  const one = recorder.begin({ sub: "a", role: "authenticated" });
  one?.add("authenticated", "select $1", [new Date(0)]);
  one?.add("exai_server", "insert $1, $2, $3", [Buffer.from("ab"), undefined, 7n]);
  const other = recorder.begin();
  other?.add("exai_server", "select 1");
  other?.end();
  one?.end();
  recorder.begin()?.end();
  end(socket);
  const claims = { sub: "a", role: "authenticated" };
  const statements = [
    { sql: "select $1", values: ["1970-01-01T00:00:00.000Z"] },
    { sql: "insert $1, $2, $3", values: ["\\x6162", null, "7"], role: "exai_server" },
  ];
  expect((await ended).map((line) => JSON.parse(line) as unknown)).toEqual([
    { recording: true },
    { role: "exai_server", statements: [{ sql: "select 1", values: [] }] },
    { role: "authenticated", claims, statements },
    { dropped: 0 },
  ]);
  expect(recorder.begin()).toBeUndefined();
});

it("ends after its time, and when its reader is gone", async () => {
  const short = await reader("0.2 1");
  expect((await short.ended).at(-1)).toBe('{"dropped":0}');
  const { socket } = await reader("60 1");
  expect(recorder.begin()).toBeDefined();
  socket.destroy();
  await expect.poll(() => recorder.begin()).toBeUndefined();
});

it("drops transactions for a reader that does not read, and says how many", async () => {
  const { socket, ended } = await reader("60 1");
  socket.pause();
  const write = (length: number) => {
    const transaction = recorder.begin();
    transaction?.add("exai_server", "select $1", ["x".repeat(length)]);
    transaction?.end();
  };
  for (let count = 0; count < 40; count += 1) write(900_000);
  write(2_000_000);
  socket.resume();
  end(socket);
  const lines = await ended;
  const { dropped } = JSON.parse(lines.at(-1) ?? "") as { dropped: number };
  expect(dropped).toBeGreaterThan(20);
  expect(lines).toHaveLength(2 + 41 - dropped);
});

it("records a share of the transactions", async () => {
  const { socket } = await reader("60 0.5");
  const chosen = Array.from({ length: 400 }, () => recorder.begin()).filter((each) => each !== undefined);
  expect(chosen.length).toBeGreaterThan(100);
  expect(chosen.length).toBeLessThan(300);
  socket.destroy();
});

it.each(["0 1", "3601 1", "60 0", "60 2", "x", "60 NaN"])("refuses %s", async (request) => {
  const { ended } = await reader(request);
  expect(await ended).toEqual(['{"refused":"invalid arguments"}']);
});

it("refuses a third reader", async () => {
  const two = [await reader("60 1"), await reader("60 1")];
  const { ended } = await reader("60 1");
  expect(await ended).toEqual(['{"refused":"others record it already"}']);
  for (const { socket } of two) socket.destroy();
});
