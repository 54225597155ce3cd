import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { jsonRenderer } from "../../../cli/render/json.ts";
import { liveView } from "../../../cli/render/live.ts";
import type { Renderer, Streams } from "../../../cli/render/renderer.ts";
import { terminalOf } from "../../../cli/render/terminal.ts";
import { textRenderer } from "../../../cli/render/text.ts";
import type { PrintedEvent } from "../../../cli/events.ts";
import { VIEWS } from "./samples.ts";

// A terminal of a person, also if CI runs the tests.
beforeEach(() => {
  vi.stubEnv("CI", "");
  vi.stubEnv("TERM", "xterm-256color");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const at = "2026-11-29T09:00:00.000Z";
const [STATUS] = VIEWS["rollout status --watch"];

type View = Extract<PrintedEvent, { type: "view" }>;

const view = (label: string, more: Partial<View["data"]> = {}): View => {
  if (STATUS === undefined) throw new Error("there is no sample");
  return { at, type: "view", verb: "rollout status --watch", data: { ...STATUS, label, ...more } };
};

/** What a terminal of that size shows after the writes: the sequences that the renderer uses, and no other. */
function screen(writes: string, columns: number): string[] {
  const lines: string[] = [""];
  let row = 0;
  let column = 0;
  for (const part of writes.split(/(\x1b\[[0-9;]*[A-Za-z]|\r|\n)/)) {
    const up = /^\x1b\[(\d+)A$/.exec(part);
    if (up !== null) row = Math.max(0, row - Number(up[1]));
    else if (part === "\r") column = 0;
    else if (part === "\n") {
      row += 1;
      column = 0;
      lines[row] ??= "";
    } else if (part === "\x1b[2K") lines[row] = "";
    else if (part === "\x1b[J") {
      lines[row] = (lines[row] ?? "").slice(0, column);
      lines.length = row + 1;
    } else if (/^\x1b\[[0-9;]*m$/.test(part)) continue;
    else if (part.startsWith("\x1b")) throw new Error(`an unknown sequence: ${JSON.stringify(part)}`);
    else {
      const line = lines[row] ?? "";
      lines[row] = line.slice(0, column) + part + line.slice(column + part.length);
      column += part.length;
      if (column > columns) throw new Error(`a line wraps: ${lines[row] ?? ""}`);
    }
  }
  return lines;
}

function terminal(size: { columns: number; rows: number } | undefined, make: (streams: Streams) => Renderer) {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const stream = size === undefined ? out : Object.assign(out, { isTTY: true, ...size });
  return { renderer: make({ out: stream, err }), text: () => String(out.read() ?? "") };
}

const lineOf = (label: string) => new RegExp(`^${at} ${label}: `);

describe("a view", () => {
  it("is rewritten in place on a terminal, and the next output is below it", () => {
    const { renderer, text } = terminal({ columns: 80, rows: 40 }, textRenderer);
    renderer.show(view("shift 5 %"));
    renderer.show(view("shift 25 %", { transition: undefined as never }));
    renderer.show({ at, type: "log", service: "router", line: "over" });
    const shown = screen(text(), 80);
    expect(shown[0]).toMatch(/^shift 25 % for /);
    expect(shown.filter((line) => line.startsWith("shift"))).toHaveLength(1);
    expect(shown.slice(-2)).toEqual(["router  over", ""]);
  });

  it.each([
    [80, 24],
    [140, 40],
    [20, 6],
  ])("fits a terminal of %i by %i", (columns, rows) => {
    const { renderer, text } = terminal({ columns, rows }, textRenderer);
    renderer.show(view("a label that is much too long for a narrow terminal"));
    renderer.show(view("a label that is much too long for a narrow terminal"));
    expect(screen(text(), columns).length).toBeLessThanOrEqual(rows);
  });

  it("goes back over the lines that a narrower terminal has wrapped", () => {
    const out = Object.assign(new PassThrough(), { isTTY: true, columns: 60, rows: 30 });
    const live = liveView(out, () => terminalOf(out));
    live.show(view("y".repeat(45), { slots: [], rollout: undefined as never, transition: undefined as never }));
    const height = (width: number) =>
      String(out.read())
        .trimEnd()
        .split("\n")
        .map((line) => line.replaceAll(/\x1b\[[0-9;]*[A-Za-z]|\r/g, ""))
        .slice(0, -1)
        .reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / width)), 0);
    const lines = height(20);
    out.columns = 20;
    live.show(view("z"));
    expect(String(out.read())).toContain(`\x1b[${String(lines)}A`);
  });

  it("is a line per change in a log", () => {
    for (const make of [textRenderer, (streams: Streams) => textRenderer(streams, true)]) {
      const { renderer, text } = terminal(undefined, make);
      for (const label of ["first", "first", "second", "first"]) renderer.show(view(label));
      const lines = text().trimEnd().split("\n");
      expect(lines).toEqual(
        ["first", "second", "first"].map((label) => expect.stringMatching(lineOf(label)) as string),
      );
    }
  });

  it("is an object per update for a program", () => {
    const { renderer, text } = terminal(undefined, jsonRenderer);
    renderer.show(view("first"));
    renderer.show(view("first"));
    const lines = text().trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as View).data.label)).toEqual(["first", "first"]);
  });
});
