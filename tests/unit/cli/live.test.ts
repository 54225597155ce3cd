import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { ViewEvent } from "../../../contract/events.ts";
import { jsonRenderer } from "../../../cli/render/json.ts";
import type { Renderer, Streams } from "../../../cli/render/renderer.ts";
import { textRenderer } from "../../../cli/render/text.ts";

const at = "2026-11-29T09:00:00.000Z";
const ttyRenderer = (streams: Streams) => textRenderer(streams);
const plainRenderer = (streams: Streams) => textRenderer(streams, true);

const view = (title: string, change = title, details: readonly string[] = []): ViewEvent & { at: string } => ({
  at,
  ...{ type: "view", title, change, details, columns: ["slot", "weight"] },
  ...{ rows: [["blue", "75 %"]], line: `line of ${title}`, data: { title } },
});

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

describe("a view", () => {
  it("is rewritten in place on a terminal, and what follows stands below it", () => {
    const { renderer, text } = terminal({ columns: 60, rows: 20 }, ttyRenderer);
    renderer.show(view("shift 5 %", "a", ["one", "two", "three"]));
    renderer.show(view("shift 25 %", "b", ["one"]));
    renderer.show({ at, type: "result", title: "over", data: {} });
    const shown = screen(text(), 60);
    expect(shown).toEqual(["shift 25 %", "", "slot  weight", "----  ------", "blue  75 %", "", "one", "", "over", ""]);
  });

  it("never wraps nor grows beyond the terminal", () => {
    const { renderer, text } = terminal({ columns: 12, rows: 6 }, ttyRenderer);
    const long = view("a title that is much too long", "a", Array<string>(20).fill("x".repeat(50)));
    renderer.show(long);
    renderer.show(long);
    expect(screen(text(), 12).length).toBeLessThanOrEqual(6);
  });

  it("goes back over the lines that a narrower terminal has wrapped", () => {
    const size = { columns: 60, rows: 30 };
    const out = Object.assign(new PassThrough(), { isTTY: true, ...size });
    const renderer = ttyRenderer({ out, err: new PassThrough() });
    renderer.show(view("y".repeat(50)));
    out.read();
    out.columns = 20;
    renderer.show(view("z"));
    // Five lines, of which the title now takes three.
    expect(String(out.read())).toContain("\x1b[7A");
  });

  it("is a line per change where nobody looks on", () => {
    for (const make of [plainRenderer, ttyRenderer]) {
      const { renderer, text } = terminal(undefined, make);
      for (const [title, change] of [
        ["first", "a"],
        ["again", "a"],
        ["second", "b"],
        ["back", "a"],
      ] as const)
        renderer.show(view(title, change));
      expect(text()).toBe("line of first\nline of second\nline of back\n");
    }
  });

  it("is an object per look for a program", () => {
    const { renderer, text } = terminal(undefined, jsonRenderer);
    renderer.show(view("first"));
    renderer.show(view("first"));
    const lines = text().trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as ViewEvent).data)).toEqual([{ title: "first" }, { title: "first" }]);
  });
});
