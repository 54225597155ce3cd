import { describe, expect, it } from "vitest";
import { consoleBlocks, fits, withOutputs } from "../support/docs/console.ts";
import { cut } from "../support/docs/match.ts";

const example = (...sample: string[]) => ({ command: "./exai up", sample });

describe("a sample", () => {
  it.each([
    ["times and decimals", "[done] up (4.0 s)", "[done] up (1 min 12 s)"],
    [
      "identifiers",
      "next: ./exai rollout history 20261129T090000Z-0ca976",
      "next: ./exai rollout history 20270101T000000Z-ffffff",
    ],
    ["measured shares", "errors 17.1 % of 1 %", "errors 0 % of 1 %"],
    ["the widths of columns", "after   state\n-----  -----\n 17 s  ready", "after  state\n------  -----\n117 s  ready"],
    ["the load of a slot", "blue  100 %  ready   5.8  0.00 %", "blue  100 %  ready  -  -"],
  ])("fits an output with other %s", (_, sample, output) => {
    expect(fits(example(...sample.split("\n")), output.split("\n"))).toBe(true);
  });

  it.each([
    ["a word", "green has all users", "green has the users"],
    ["a weight", "shift 5 %: pass", "shift 10 %: pass"],
    ["a count", "82 rules", "83 rules"],
    ["a port", "http://127.0.0.1:8080", "http://127.0.0.1:8081"],
    ["a version", "envoy:v1.40.0", "envoy:v1.41.0"],
    ["a line more", "done", "done\nnext: ./exai up"],
    ["a line less", "done\nnext: ./exai up", "done"],
    ["a column", "a  b", "a  b  c"],
  ])("does not fit an output with %s changed", (_, sample, output) => {
    expect(fits(example(...sample.split("\n")), output.split("\n"))).toBe(false);
  });

  it("leaves out lines and ends of lines by an ellipsis only", () => {
    expect(fits(example("a", "…", "d"), ["a", "b", "c", "d"])).toBe(true);
    expect(fits(example("a…"), ["a and more"])).toBe(true);
    expect(fits(example("b…"), ["a and more"])).toBe(false);
  });

  it("of a long line is cut where it still fits", () => {
    const line = `errors 17.1 % of 1 %: above the limit; 30 of 175 requests failed, ${"0 of 1200 on the other slot; ".repeat(3)}`;
    expect(cut(line).length).toBeLessThan(line.length);
    expect(fits(example(cut(line)), [line])).toBe(true);
  });
});

describe("a page", () => {
  const page = "before\n\n```console\n$ ./exai up\n[done] up (1.0 s)\n…\n$ ./exai down\nold\n```\n\nafter\n";

  it("has the commands of its console blocks with their samples", () => {
    expect(consoleBlocks(page)[0]?.examples).toEqual([
      { command: "./exai up", sample: ["[done] up (1.0 s)", "…"] },
      { command: "./exai down", sample: ["old"] },
    ]);
    expect(() => consoleBlocks("```console\n./exai up\n```\n")).toThrow(/begins with a command/);
  });

  it("gets what the commands printed, and keeps what it leaves out as long as that fits", () => {
    expect(
      withOutputs(page, [
        ["[done] up (2.5 s)", "more"],
        ["new", "lines"],
      ]),
    ).toBe("before\n\n```console\n$ ./exai up\n[done] up (2.5 s)\n…\n$ ./exai down\nnew\nlines\n```\n\nafter\n");
  });
});
