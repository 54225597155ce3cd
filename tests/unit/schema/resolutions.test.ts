import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readResolutions, writeResolutions } from "../../../operations/branches/merge/resolutions.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-resolutions-"));
  path = join(folder, "decisions.yaml");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const conflict = (object: string) => ({ object, reason: "both-changed", main: '{"a":\n1}', users: [] }) as const;

it("keeps what is decided, and lists what is not", () => {
  expect(readResolutions(path, "branch")).toEqual(new Map());
  const decided = new Map([['policy "odd: name" on public.files', "main"]] as const);
  writeResolutions(path, "branch", decided, [
    conflict("column public.files.name"),
    conflict("grant to x on table a.b (c)"),
  ]);
  expect(readResolutions(path, "branch")).toEqual(decided);
});

it("takes the sides of a revert by their own names", () => {
  writeFileSync(path, "table public.files: before\ntable public.messages: main\n");
  expect([...readResolutions(path, "before")]).toEqual([
    ["table public.files", "branch"],
    ["table public.messages", "main"],
  ]);
  expect(() => readResolutions(path, "branch")).toThrow(/has "before" for table public.files/);
});

it.each([
  ["a: [", /is not YAML/],
  ["- a", /has no sides/],
  ["a: theirs", /has "theirs" for a/],
])("refuses %j", (text, problem) => {
  writeFileSync(path, text);
  expect(() => readResolutions(path, "branch")).toThrow(problem);
});
