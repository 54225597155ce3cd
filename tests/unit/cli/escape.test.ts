import { describe, expect, it } from "vitest";
import { collectOverrides } from "../../../cli/commands/command.ts";
import type { PrintedEvent } from "../../../cli/events.ts";
import { blocksOf } from "../../../cli/format/index.ts";
import { blocksText } from "../../../cli/render/blocks.ts";
import { escapeText } from "../../../cli/render/escape.ts";
import { jsonRenderer } from "../../../cli/render/json.ts";
import { terminalOf } from "../../../cli/render/terminal.ts";
import { textRenderer } from "../../../cli/render/text.ts";
import { fix } from "../../../contract/fix.ts";
import { Writable } from "node:stream";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeOutput } from "../../../cli/output-file.ts";
import { makeFolder } from "../../../contract/machine/make-folder.ts";
import { SAMPLES } from "./samples.ts";
import { parseValues } from "../../../stacks/settings/parse.ts";
import { EMPTY_FILE, layered, readStackFile } from "../../../synth/stack-file.ts";

/** Clears the screen, rewrites the line, reverses the text, and a CSI of one byte. */
const ATTACK = "\x1b[2J\rok\u202egnp.exe\x9b31m\x07";
const SHOWN = "\\x1b[2J\\x0dok\\u202egnp.exe\\x9b31m\\x07";
const at = "2026-11-29T00:00:00Z";

/** A log, which has no width. */
const LOG = terminalOf(new Writable(), false);

const EVENTS: readonly PrintedEvent[] = [
  { type: "log", at, service: ATTACK, line: ATTACK },
  { type: "note", at, level: "warning", message: ATTACK, fix: fix`run ${ATTACK}` },
  { type: "step", at, id: ATTACK, title: ATTACK, status: "failed", detail: ATTACK },
  { type: "error", at, code: "failed", where: ATTACK, message: ATTACK, fix: fix`run ${ATTACK}`, exitCode: 2 },
  { type: "result", at, verb: "env", data: { stack: ATTACK, example: true, variables: [] } },
];

function printed(make: typeof textRenderer, event: PrintedEvent): string {
  let text = "";
  const stream = () =>
    new Writable({
      write: (chunk: Buffer, _, done) => {
        text += chunk.toString("utf8");
        done();
      },
    });
  const renderer = make({ out: stream(), err: stream() });
  renderer.show(event);
  renderer.close();
  return text;
}

describe("characters that a terminal acts on", () => {
  it("are shown as numbers, and line feeds and tabs stay", () => {
    expect(escapeText(ATTACK)).toBe(SHOWN);
    expect(escapeText("one\n\ttwo – é 漢")).toBe("one\n\ttwo – é 漢");
  });

  it.each(EVENTS)("never come from the data of a $type", (event) => {
    for (const renderer of [textRenderer, jsonRenderer])
      expect(printed(renderer, event)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it("are removed from the results of every verb without a change of its other parts", () => {
    for (const [verb, results] of Object.entries(SAMPLES))
      for (const data of results) {
        const event = { type: "result", at, verb, data } as PrintedEvent;
        const blocks = blocksOf({ verb, data } as Parameters<typeof blocksOf>[0], at);
        expect(printed(textRenderer, event)).toBe(blocksText(blocks, LOG));
      }
  });

  it("are escapes of JSON in JSON, so that programs get the data unchanged", () => {
    const [log] = EVENTS;
    if (log !== undefined) expect(JSON.parse(printed(jsonRenderer, log))).toMatchObject({ line: ATTACK });
  });
});

describe("a file that the user names", () => {
  it.each([
    ["/proc/no-such/file", "cannot be written (E"],
    [tmpdir(), "is a folder"],
    ["/dev/null/file", "cannot be written (E"],
  ])("%s is refused", (path, problem) => {
    expect(() => {
      writeOutput("--out", path, "text");
    }).toThrow(problem);
  });

  it("gets its folders", () => {
    const folder = mkdtempSync(join(tmpdir(), "exai-out-"));
    makeFolder(join(folder, "a/b/c"));
    writeOutput("--out", join(folder, "d/e.txt"), "text");
    writeOutput("--out", join(folder, "a/b/c/f.txt"), "text");
    rmSync(folder, { recursive: true });
  });
});

describe("settings", () => {
  it.each(["constructor", "__proto__", "toString", "hasOwnProperty"])("do not have the key %s", (key) => {
    const source = layered(EMPTY_FILE, { overrides: collectOverrides(`${key}=1`), defers: true });
    expect(source.keys).toEqual([key]);
    expect(() => parseValues("local", "local", source)).toThrow(`exai:${key}: is an unknown key`);
  });

  it("of a file whose aliases expand without end are refused", () => {
    const folder = mkdtempSync(join(tmpdir(), "exai-aliases-"));
    const level = (n: number) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(", ")}]`;
    const text = `a0: &a0 [x]\n${Array.from({ length: 8 }, (_, n) => level(n)).join("\n")}\nconfig: {}\n`;
    writeFileSync(join(folder, "Pulumi.local.yaml"), text);
    expect(() => readStackFile(folder, "local")).toThrow("cannot be read as YAML");
    rmSync(folder, { recursive: true });
  });
});
