import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseStatements } from "../../../contract/sql/statements.ts";
import { UserError } from "../../../contract/errors.ts";
import { fix } from "../../../contract/fix.ts";
import type { Slot } from "../../../contract/slots.ts";
import { recordWorkload, type RecordOptions } from "../../../operations/branches/record/record.ts";
import { redactedParameters, Redactor } from "../../../operations/branches/record/redact.ts";
import { runOperation } from "../../support/verbs.ts";

describe("values that are replaced", () => {
  const columns = new Set(["title", "content"]);
  it.each<[string, readonly number[]]>([
    ["insert into t (id, title) values ($1, $2)", [2]],
    ["insert into t (id, title) values ($1, left($2, 100)), ($3, $4)", [2, 4]],
    ["insert into t (title, id) select $1, $2 from u where u.name = $3", [1]],
    ["insert into t (id, title) values ($1, 'x') on conflict (id) do update set content = $2", [2]],
    ["update t set content = $1, n = $2 where id = $3", [1]],
    ["select id from t where lower(t.title) = $1 and id = $2", [1]],
    ["select id from t where title in ($1, $2) or id = $3", [1, 2]],
    ["with w as (insert into t (content) values ($1) returning id) select * from w where id = $2", [1]],
    ["select title, content from t where id = $1", []],
  ])("in %s", async (sql, numbers) => {
    const nodes = (await parseStatements(sql)).map(({ node }) => node);
    expect([...redactedParameters(nodes, columns)].sort()).toEqual(numbers);
  });

  it("have the same length, and are the same for the same value", async () => {
    const redactor = new Redactor(["title"]);
    const sql = "insert into t (id, title) values ($1, $2)";
    const title = "a title ".repeat(20);
    const values = async (text: unknown) => (await redactor.redact({ sql, values: ["1", text] })).values;
    const [id, other] = await values(title);
    expect(id).toBe("1");
    expect(other).toHaveLength(title.length);
    expect(other).not.toContain("title");
    expect(await values(title)).toEqual([id, other]);
    expect(await values("another")).not.toEqual(await values("one more"));
    expect(await values(null)).toEqual(["1", null]);
  });
});

describe("a recording", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "exai-recording-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  /** A program that writes lines, and its last one when its input closes or at once. */
  const program = (lines: readonly string[], { waits = false, code = 0 } = {}) => ({
    ...{ program: process.execPath, install: fix`` },
    args: [
      "-e",
      `process.stdout.write(${JSON.stringify(lines.map((line) => `${line}\n`).join(""))});
       const end = () => { process.stdout.write('{"dropped":3}\\n', () => process.exit(${String(code)})); };
       ${waits ? "process.stdin.resume().on('end', end)" : code === 0 ? "end()" : "process.stderr.write('no server'); process.exitCode = 1"}`,
    ],
  });
  const RECORDING = '{"recording":true}';
  const line = (sql: string, sub = "a") =>
    JSON.stringify({ role: "authenticated", claims: { sub }, statements: [{ sql, values: [] }] });

  let count = 0;
  const record = (slots: Partial<Record<Slot, ReturnType<typeof program>>>, options: Partial<RecordOptions> = {}) => {
    const out = join(folder, `${String((count += 1))}.jsonl`);
    const session = (slot: Slot) => {
      const found = slots[slot];
      if (found === undefined) throw new UserError("not-found", slot, "does not run", "start it");
      return Promise.resolve(found);
    };
    const { signal } = new AbortController();
    const all = { out, seconds: 60, share: 1, most: 100, redact: [], session, signal, ...options };
    return { out, ran: runOperation(recordWorkload(all)) };
  };

  it("has the transactions of all slots, without those that are not replayed", async () => {
    const blue = program([RECORDING, line("select 1"), line("listen x"), line("select 2", "b")]);
    const { out, ran } = record({ blue, green: program([RECORDING, line("select 3")]) });
    const { result } = await ran;
    expect(result).toMatchObject({ transactions: 3, statements: 3, users: 2, leftOut: 1, dropped: 6, ended: "time" });
    expect(readFileSync(out, "utf8").trimEnd().split("\n").sort()).toEqual(
      [line("select 1"), line("select 2", "b"), line("select 3")].sort(),
    );
    expect(statSync(out).mode & 0o777).toBe(0o600);
  });

  it("ends at its limit, and with a signal, without a loss", async () => {
    const lines = Array.from({ length: 9 }, (_, index) => line(`select ${String(index)}`));
    const limited = record({ blue: program([RECORDING, ...lines], { waits: true }) }, { most: 4 });
    expect((await limited.ran).result).toMatchObject({ transactions: 4, ended: "limit" });
    const abort = new AbortController();
    const waiting = program([RECORDING, ...lines], { waits: true });
    const interrupted = record({ blue: waiting }, { signal: abort.signal });
    setTimeout(() => {
      abort.abort();
    }, 500);
    expect((await interrupted.ran).result).toMatchObject({ transactions: 9, dropped: 3, ended: "interrupted" });
  });

  it("of one slot is noted if the other does not record", async () => {
    const { ran } = record({ blue: program([RECORDING, line("select 1")]), green: program([], { code: 1 }) });
    const { events, result } = await ran;
    expect(result.slots).toEqual(["blue"]);
    expect(events).toContainEqual(
      expect.objectContaining({ level: "warning", message: "slot green is not recorded: no server" }),
    );
  });

  it.each([
    ["no slot runs", {}, "not-found"],
    ["no server records", { blue: program([], { code: 1 }) }, "unavailable"],
    ["nothing was asked", { blue: program([RECORDING]) }, "not-found"],
    ["a server writes something else", { blue: program([RECORDING, "{}"]) }, "invalid-file"],
  ])("leaves no file if %s", async (_, slots, code) => {
    const { out, ran } = record(slots);
    await expect(ran).rejects.toMatchObject({ code });
    expect(() => statSync(out)).toThrow("ENOENT");
  });

  it("does not replace a file", async () => {
    const out = join(folder, "mine");
    writeFileSync(out, "mine");
    const { ran } = record({ blue: program([RECORDING, line("select 1")]) }, { out });
    await expect(ran).rejects.toMatchObject({ code: "invalid-argument" });
    expect(readFileSync(out, "utf8")).toBe("mine");
  });
});
