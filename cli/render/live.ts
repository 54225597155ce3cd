import type { ViewEvent, Timed } from "../events.ts";
import type { Block } from "../format/block.ts";
import { viewFormatterOf } from "../format/index.ts";
import { blocksText } from "./blocks.ts";
import { truncate, widthOf, type Terminal } from "./terminal.ts";

/**
 * A view that stays in its place on a terminal: each one is written over the previous one, in one write so that it does not
 * flicker. A log gets a line each time that something has changed.
 */
export interface LiveView {
  readonly show: (event: Timed<ViewEvent>) => void;
  /** What was shown last stays; the next view begins below it. */
  readonly leave: () => void;
}

export function liveView(out: NodeJS.WritableStream, terminal: () => Terminal): LiveView {
  let before: readonly string[] = [];
  let last: string | undefined;
  const rewrite = (blocks: readonly Block[]) => {
    const size = terminal();
    const columns = size.columns ?? 80;
    const lines = blocksText(blocks, size)
      .trimEnd()
      .split("\n")
      .slice(0, size.rows - 1)
      .map((line) => truncate(line, columns - 1));
    // A terminal that was made narrower has wrapped the previous lines.
    const height = before.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
    const up = height === 0 ? "" : `\x1b[${String(Math.min(height, size.rows - 1))}A`;
    out.write(`${up}\r${lines.map((line) => `\x1b[2K${line}\n`).join("")}\x1b[J`);
    before = lines;
  };
  return {
    show: ({ verb, data, at }) => {
      const { blocks, line, change } = viewFormatterOf(verb);
      if (terminal().live) {
        rewrite(blocks(data, { at: Date.parse(at) }));
        return;
      }
      const changed = change(data);
      if (changed !== last) out.write(`${line(data, at)}\n`);
      last = changed;
    },
    leave: () => {
      before = [];
    },
  };
}
