import { PassThrough } from "node:stream";
import pc from "picocolors";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UserError, UserErrors } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { ErrorEvent, PrintedEvent } from "../../../cli/events.ts";
import { errorEvents } from "../../../cli/errors.ts";
import { errorLines, fixLine } from "../../../cli/format/error.ts";
import { jsonRenderer } from "../../../cli/render/json.ts";
import { duration, type Renderer, type Streams } from "../../../cli/render/renderer.ts";
import { tableLines } from "../../../cli/render/table.ts";
import { textRenderer } from "../../../cli/render/text.ts";

// A terminal of a person, also if CI runs the tests.
beforeEach(() => {
  vi.stubEnv("CI", "");
  vi.stubEnv("TERM", "xterm-256color");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const PLAIN = { columns: undefined, colours: pc.createColors(false) };
const at = "2026-11-29T09:00:00.000Z";

const EVENTS: readonly PrintedEvent[] = [
  { at, type: "step", id: "a", title: "first", status: "started" },
  { at, type: "step", id: "a", title: "first", status: "progress", detail: "half" },
  { at, type: "step", id: "a", title: "first", status: "progress", detail: "half" },
  { at, type: "step", id: "a", title: "first", status: "done", seconds: 1.25 },
  { at, type: "note", level: "warning", message: "careful" },
  { at, type: "log", service: "router", line: "words" },
  { at, type: "result", verb: "image build", data: { tag: "x:1", outcome: "built", faults: "" } },
];

function printed(make: (streams: Streams) => Renderer, columns?: number): { out: string; err: string } {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const renderer = make({ out, err: Object.assign(err, columns === undefined ? {} : { isTTY: true, columns }) });
  for (const event of EVENTS) renderer.show(event);
  renderer.show({ at, ...errorEvents(new UserError("failed", "it", "is bad", "none"))[0] });
  renderer.close();
  const text = (stream: PassThrough) => String(stream.read() ?? "");
  return { out: text(out), err: text(err) };
}

/** What was written, without colours. */
function plainText(stream: PassThrough): string {
  return String(stream.read() ?? "").replaceAll(/\x1b\[[0-9;]*m/g, "");
}

describe("renderers", () => {
  it("plain: one line per event, results on standard output, progress on standard error", () => {
    const { out, err } = printed((streams) => textRenderer(streams, true));
    expect(out).toBe("router  words\nimage x:1 is built\n  next: ./exai cutover --image x:1\n");
    expect(err.split("\n")).toEqual([
      "[started] first",
      "[progress] first: half",
      "[done] first (1.3 s)",
      "[warning] careful",
      "error: it: is bad",
      "  fix: none",
      "",
    ]);
  });

  it("json: every event as one object per line", () => {
    const lines = printed(jsonRenderer).out.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      ...EVENTS,
      { at, type: "error", code: "failed", where: "it", message: "is bad", fix: ["none"], exitCode: 2 },
    ]);
  });

  it("tty: rewrites the line of a step that runs, and never lets it wrap", () => {
    const { err } = printed((streams) => textRenderer(streams), 10);
    expect(err).toContain("\r\x1b[2K");
    const open = err.split("\r\x1b[2K")[0] ?? "";

    expect(open.replaceAll(/\x1b\[[0-9;]*m/g, "").length).toBeLessThan(10);
  });

  it("tty: never breaks a command, so that it can be copied", () => {
    const long = `up --set httpPort=8090 --set wsPort=${"9".repeat(80)}`;
    const narrow = () => Object.assign(new PassThrough(), { isTTY: true, columns: 40 });
    const [out, err] = [narrow(), narrow()];
    const renderer = textRenderer({ out, err });
    renderer.show({ at, ...errorEvents(new UserError("failed", "it", "is bad", fix`${command(long)}, then wait`))[0] });
    renderer.show({
      at,
      type: "result",
      verb: "image build",
      data: { tag: "x".repeat(60), outcome: "built", faults: "" },
    });
    expect(plainText(err)).toContain(`\n  fix: ./exai ${long}, then wait\n`);
    expect(plainText(out)).toContain(`\n  next: ./exai cutover --image ${"x".repeat(60)}\n`);
  });

  it("shows durations in a suitable unit", () => {
    expect([0.44, 12.3, 59.4, 59.6, 185].map(duration)).toEqual(["0.4 s", "12 s", "59 s", "60 s", "3 min 5 s"]);
  });

  it("leaves out the columns of a table that do not fit by their priority, and keeps a narrow one that does", () => {
    const columns = [{ title: "A" }, { title: "image", priority: 1 }, { title: "B", priority: 2 }];
    const [head] = tableLines(columns, [["1", "x".repeat(9), "2"]], { ...PLAIN, columns: 9 });
    expect(head).toBe("A  B");
  });

  it("aligns tables by their widest cell", () => {
    expect(tableLines([{ title: "A" }, { title: "B" }], [["wide", "1"]], PLAIN)).toEqual([
      "A     B",
      "----  -",
      "wide  1",
    ]);
  });
});

describe("errors", () => {
  const textOf = (event: ErrorEvent) => [
    ...errorLines(event),
    ...(event.code === "internal" || event.fix === undefined ? [] : [`  ${fixLine(event.fix)}`]),
  ];
  const said = (error: unknown) => {
    const events = errorEvents(error);
    return { code: events[0].exitCode, text: events.flatMap(textOf).join("\n") };
  };

  it("print where, what and the fix of a user error, without a stack trace", () => {
    const { code, text } = said(new UserError("lock-held", "exai:httpPort", "is taken", "choose another"));
    expect({ code, text }).toEqual({ code: 3, text: "exai:httpPort: is taken\n  fix: choose another" });
  });

  it("print the commands of a fix as a person types them", () => {
    expect(said(new UserError("failed", "a", "x", fix`${command("up")} first`)).text).toBe(
      "a: x\n  fix: ./exai up first",
    );
  });

  it("print each of several", () => {
    const { code, text } = said(
      new UserErrors([new UserError("failed", "a", "x", "m"), new UserError("failed", "b", "y", "n")]),
    );
    expect(code).toBe(2);
    expect(text).toMatch(/a: x[\s\S]*b: y/);
  });

  it("print the stack trace of a defect", () => {
    expect(said(new Error("oops"))).toMatchObject({
      code: 2,
      text: expect.stringContaining("render.test.ts") as string,
    });
  });
});
