import { typed, type Block } from "../format/block.ts";
import { fixLine } from "../format/error.ts";
import { tableLines } from "./table.ts";
import { toned, widthOf, wrap, type Terminal } from "./terminal.ts";

/** The text of blocks, fitted to a terminal; it ends with a line break unless it is empty. */
export function blocksText(blocks: readonly Block[], terminal: Terminal): string {
  return blocks.map((block) => blockText(block, terminal)).join("");
}

/** The lines of blocks other than documents. Commands are never broken, so that they can be copied. */
export function blockLines(block: Exclude<Block, { type: "document" }>, terminal: Terminal): readonly string[] {
  const { columns, colours } = terminal;
  switch (block.type) {
    case "heading":
      return toned(block.text, terminal)
        .split("\n")
        .flatMap((line) => wrap(line, columns))
        .map((line) => colours.bold(line));
    case "table": {
      const table = tableLines(block.columns, block.rows, terminal);
      const title = block.title === undefined ? [] : wrap(block.title, columns);
      return [...title.map((line) => colours.bold(line)), ...table];
    }
    case "lines":
      return block.lines.flatMap((line) =>
        toned(line, terminal)
          .split("\n")
          .flatMap((text) => wrap(text, columns)),
      );
    case "warning":
      return wrap(`${colours.yellow("!")} ${block.text}`, columns, 2);
    case "next":
      return block.commands.flatMap((next) => {
        const line = "command" in next ? typed(next) : next.shell;
        const command = `  ${colours.dim("next:")} ${line}`;
        if (next.comment === undefined) return [command];
        const both = `${command}${colours.dim(`   # ${next.comment}`)}`;
        return columns === undefined || widthOf(both) <= columns
          ? [both]
          : [command, colours.dim(`    # ${next.comment}`)];
      });
    case "fix":
      return [`  ${fixLine(block.fix)}`];
  }
}

function blockText(block: Block, terminal: Terminal): string {
  if (block.type === "document") return block.text.endsWith("\n") || block.text === "" ? block.text : `${block.text}\n`;
  return blockLines(block, terminal)
    .map((line) => `${line}\n`)
    .join("");
}
