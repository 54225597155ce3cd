import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import type { PrintedEvent } from "../../../cli/events.ts";
import { FORMATTERS, VIEW_FORMATTERS } from "../../../cli/format/index.ts";
import type { Block } from "../../../cli/format/block.ts";
import { blocksText } from "../../../cli/render/blocks.ts";
import { eventErrors } from "../../support/event-schema.ts";
import { AT, SAMPLES, VIEWS } from "./samples.ts";

const results = Object.entries(SAMPLES).flatMap(([verb, all]) =>
  all.map((data, index) => [`${verb}, ${String(index + 1)}`, { at: AT, type: "result", verb, data }] as const),
);
const views = Object.entries(VIEWS).flatMap(([verb, all]) =>
  all.map((data, index) => [`${verb}, ${String(index + 1)}`, { at: AT, type: "view", verb, data }] as const),
);

/** The blocks of a result or a view. */
function blocksOf(event: { readonly type: string; readonly verb: string; readonly data: unknown }): readonly Block[] {
  const { type, verb, data } = event as Extract<PrintedEvent, { verb: string }>;
  const formatters = FORMATTERS as Readonly<Record<string, (data: never, context: { at: number }) => readonly Block[]>>;
  const format = type === "view" ? VIEW_FORMATTERS[verb].blocks : formatters[verb];
  if (format === undefined) throw new Error(`${verb} has no formatter`);
  return format(data as never, { at: Date.parse(AT) });
}

describe.each([...results, ...views])("%s", (_, event) => {
  it("matches the published schema", () => {
    expect(eventErrors(event)).toEqual([]);
  });

  it.each([80, 140])("fits %i columns", (columns) => {
    const text = blocksText(blocksOf(event), { columns, rows: 40, live: true, colours: pc.createColors(true) });
    // A command that is too long is not broken, so that it can be copied.
    const lines = stripVTControlCharacters(text).split("\n");
    for (const line of lines.filter((each) => !/^ {2}(?:next|fix): [^#]*$/.test(each)))
      expect(stringWidth(line), line).toBeLessThanOrEqual(columns);
  });
});

it("names the keys that down keeps with the data that they open", () => {
  const kept = SAMPLES.down.filter((sample) => sample.platform === "pulumi" && sample.kept.length > 0);
  expect(kept).not.toEqual([]);
  for (const data of kept)
    expect(blocksOf({ type: "result", verb: "down", data })).toContainEqual({
      type: "lines",
      lines: [
        "kept, with the keys that open it: generated-backups, generated-postgres, postgres-backups, postgres-data",
      ],
    });
});

describe("next commands", () => {
  it.each(["cutover", "rollout promote"] as const)("do not begin with a rollback after a completed %s", (verb) => {
    const [completed] = SAMPLES[verb];
    const next = blocksOf({ type: "result", verb, data: completed }).find((block) => block.type === "next");
    expect(next?.commands[0]).not.toEqual({ command: "rollback" });
  });
});
