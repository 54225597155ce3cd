import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareOutcomes, volatileColumns } from "../../../operations/branches/shadow/compare.ts";
import { LatencyBook } from "../../../operations/branches/shadow/latency.ts";
import type { Outcome } from "../../../operations/branches/shadow/replay.ts";
import { readWorkload } from "../../../operations/branches/shadow/workload.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-workload-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function workload(text: string) {
  const path = join(folder, "workload.jsonl");
  writeFileSync(path, text);
  return readWorkload(path);
}

const line = (...statements: readonly string[]) =>
  JSON.stringify({ role: "authenticated", statements: statements.map((sql) => ({ sql })) });

describe("a workload", () => {
  it("is read line by line", async () => {
    const claims = { sub: "a" };
    const text = JSON.stringify({ role: "anon", claims, statements: [{ sql: "select $1", values: [1] }] });
    expect(await workload(`${text}\n\n${line("select 1")}\n`)).toEqual([
      { line: 1, role: "anon", claims, statements: [{ sql: "select $1", values: [1] }] },
      { line: 3, role: "authenticated", statements: [{ sql: "select 1", values: [] }] },
    ]);
  });

  // On main it would be kept, or run with other rights.
  it.each([
    "commit",
    "rollback",
    "reset role",
    "set role postgres",
    "select 1; commit",
    "do $$ begin null; end $$",
    "truncate a",
  ])("with %s is refused", async (sql) => {
    await expect(workload(line("select 1", sql))).rejects.toMatchObject({ code: "invalid-file" });
  });

  it.each([
    "{",
    "[]",
    '{"statements":[{"sql":"select 1"}]}',
    '{"role":"a","statements":[]}',
    '{"role":"a","claims":"b","statements":[{"sql":"select 1"}]}',
    line("select from from"),
    "",
  ])("that is %j is refused", async (text) => {
    await expect(workload(text)).rejects.toMatchObject({ code: "invalid-file" });
  });
});

const outcome = (rows: readonly (readonly (string | null)[])[], more: Partial<Outcome> = {}): Outcome => ({
  ...{ columns: ["id 23", "at 1184"], rows, count: rows.length, milliseconds: 1, ...more },
});
const failed = (code: string) => outcome([], { columns: [], error: { code, message: "no" } });

describe("two answers", () => {
  it("are the same in another order, unless the statement has one", () => {
    const [one, other] = [
      outcome([
        ["1", "a"],
        ["2", "b"],
      ]),
      outcome([
        ["2", "b"],
        ["1", "a"],
      ]),
    ];
    expect(compareOutcomes("select", one, other)).toBeUndefined();
    expect(compareOutcomes("select order by id", one, other)).toMatchObject({ kind: "rows" });
  });

  it.each<[string, Outcome, Outcome, string | undefined]>([
    ["a null and an empty text", outcome([["1", null]]), outcome([["1", ""]]), "rows"],
    [
      "a row more",
      outcome([["1", "a"]]),
      outcome([
        ["1", "a"],
        ["1", "a"],
      ]),
      "rows",
    ],
    ["another count without rows", outcome([], { count: 1 }), outcome([], { count: 2 }), "rows"],
    ["another type", outcome([["1", "a"]]), outcome([["1", "a"]], { columns: ["id 20", "at 1184"] }), "columns"],
    ["an error on one side", outcome([]), failed("42501"), "error"],
    ["another error", failed("42501"), failed("42P01"), "error"],
    ["the same error", failed("42501"), failed("42501"), undefined],
  ])("with %s", (_, main, branch, kind) => {
    expect(compareOutcomes("select", main, branch)?.kind).toBe(kind);
  });

  it("are compared without what differs between two runs on main", () => {
    const skip = volatileColumns(outcome([["1", "a"]]), outcome([["1", "b"]]));
    expect(skip).toEqual(new Set([1]));
    expect(compareOutcomes("select", outcome([["1", "a"]]), outcome([["1", "c"]]), skip)).toBeUndefined();
    expect(compareOutcomes("select", outcome([["1", "a"]]), outcome([["2", "c"]]), skip)).toMatchObject({
      kind: "rows",
    });
    expect(volatileColumns(outcome([["1", "a"]]), outcome([]))).toBeUndefined();
  });
});

it("a statement is slower by its median over enough runs, and by what users may feel", () => {
  const book = new LatencyBook();
  for (let run = 0; run < 20; run += 1) {
    book.add("slow", 1, 10);
    book.add("outlier", 1, run === 0 ? 500 : 1);
    book.add("unfelt", 0.1, 0.9);
    if (run < 19) book.add("rare", 1, 10);
  }
  expect(book.slower(3).map(({ sql }) => sql)).toEqual(["slow"]);
});
