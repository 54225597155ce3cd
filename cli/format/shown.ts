import type { ExaiEvent } from "../../contract/events.ts";
import { typed, type Block, type Text } from "./block.ts";

const plain = (text: Text) => (typeof text === "string" ? text : text.text);

/** The events that show a result: its tables and lines, then its heading with the data and the next commands. */
export function* shown(data: unknown, blocks: readonly Block[]): Generator<ExaiEvent, void, void> {
  for (const block of blocks)
    if (block.type === "table")
      yield {
        ...block,
        columns: block.columns.map(({ title }) => title),
        rows: block.rows.map((row) => row.map(plain)),
      };
    else if (block.type === "lines") yield { type: "text", text: block.lines.map(plain).join("\n") };
    else if (block.type === "warning") yield { type: "note", level: "warning", message: block.text };
  const title = blocks.flatMap((block) => (block.type === "heading" ? [plain(block.text)] : [])).join("\n");
  const next = blocks
    .flatMap((block) => (block.type === "next" ? block.commands : []))
    .map(
      (each) =>
        `${"command" in each ? typed(each) : each.shell}${each.comment === undefined ? "" : `   # ${each.comment}`}`,
    );
  yield { type: "result", title, data, next };
}
