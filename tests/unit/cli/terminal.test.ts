import { PassThrough } from "node:stream";
import { afterEach, describe, expect, it, vi } from "vitest";
import { terminalOf, toned, wrap } from "../../../cli/render/terminal.ts";

const VARIABLES = ["CI", "TERM", "NO_COLOR", "FORCE_COLOR"] as const;

function terminal(environment: Partial<Record<(typeof VARIABLES)[number], string>>, isTTY = true) {
  for (const name of VARIABLES) vi.stubEnv(name, environment[name]);
  const stream = Object.assign(new PassThrough(), isTTY ? { isTTY, columns: 80, rows: 24 } : {});
  const found = terminalOf(stream);
  return { live: found.live, color: toned({ text: "x", tone: "good" }, found) !== "x", columns: found.columns };
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("a terminal", () => {
  it.each([
    ["has color and moves its cursor", { TERM: "xterm" }, { live: true, color: true }],
    ["has no color with NO_COLOR", { TERM: "xterm", NO_COLOR: "1" }, { live: true, color: false }],
    ["has no color with FORCE_COLOR=0", { TERM: "xterm", FORCE_COLOR: "0" }, { live: true, color: false }],
    ["has neither if TERM is dumb", { TERM: "dumb" }, { live: false, color: false }],
    ["is not rewritten in CI", { TERM: "xterm", CI: "true" }, { live: false, color: true }],
  ])("%s", (_, environment, expected) => {
    expect(terminal(environment)).toEqual({ ...expected, columns: 80 });
  });

  it("is none for a log, which has color only if that is forced, and lines of any length", () => {
    expect(terminal({ TERM: "xterm" }, false)).toEqual({ live: false, color: false, columns: undefined });
    expect(terminal({ TERM: "xterm", FORCE_COLOR: "1" }, false)).toMatchObject({ live: false, color: true });
  });
});

describe("a line that is too long", () => {
  it("is wrapped at words, and keeps a figure with its unit", () => {
    expect(wrap("errors 9.65 % of 1 %: above", 19, 2)).toEqual(["errors 9.65 % of", "  1 %: above"]);
    expect(wrap("the last one took 12 ms, not 3", 20, 2)).toEqual(["the last one took", "  12 ms, not 3"]);
  });
});
