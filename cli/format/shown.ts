import type { ExaiEvent } from "../../contract/events.ts";
import { typed, type Block } from "./block.ts";

/** The events that show a result: its tables and lines, then its heading with the data and the next commands. */
export function* shown(data: unknown, blocks: readonly Block[]): Generator<ExaiEvent, void, void> {
  for (const block of blocks)
    if (block.type === "table") yield { ...block, columns: block.columns.map(({ title }) => title) };
    else if (block.type === "lines") yield { type: "text", text: block.lines.join("\n") };
    else if (block.type === "warning") yield { type: "note", level: "warning", message: block.text };
  const title = blocks.flatMap((block) => (block.type === "heading" ? [block.text] : [])).join("\n");
  const next = blocks
    .flatMap((block) => (block.type === "next" ? block.commands : []))
    .map((each) => (each.comment === undefined ? typed(each) : `${typed(each)}   # ${each.comment}`));
  yield { type: "result", title, data, next };
}
