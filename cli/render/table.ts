import type { Column, Text } from "../format/block.ts";
import { toned, truncate, widthOf, wrap, type Terminal } from "./terminal.ts";

const GAP = 2;
/** Characters below which the last column is not wrapped. One that may be left out is not wrapped. */
const LAST_MINIMUM = 20;

/**
 * The lines of a table. Where the terminal is too narrow, columns get narrower down to their minimum, then columns go by
 * priority, and what the last column has too much is wrapped.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Text[])[],
  terminal: Pick<Terminal, "columns" | "colours">,
): string[] {
  const cells = rows.map((row) => columns.map((_, index) => row[index] ?? ""));
  const widest = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(plain(row[index])))),
  );
  const { kept, widths } = fitted(columns, widest, terminal.columns);
  const line = (texts: readonly string[]) => texts.join(" ".repeat(GAP)).trimEnd();
  const { bold, dim } = terminal.colours;
  const head = kept.map((index, at) => bold(pad(columns[index]?.title ?? "", widths[at] ?? 0, columns[index])));
  const rule = widths.map((width) => dim("-".repeat(width)));
  const body = cells.flatMap((row) => {
    const parts = kept.map((index, at) => {
      const cell = row[index] ?? "";
      const width = widths[at] ?? 0;
      const wrapped = at === kept.length - 1 ? wrap(plain(cell), width, 0) : [truncate(plain(cell), width)];
      return wrapped.map((text) => {
        const padded = pad(text, width, columns[index]);
        return typeof cell === "string" ? padded : toned({ ...cell, text: padded }, terminal);
      });
    });
    const height = Math.max(1, ...parts.map((part) => part.length));
    return Array.from({ length: height }, (_, number) =>
      line(parts.map((part, at) => part[number] ?? " ".repeat(widths[at] ?? 0))),
    );
  });
  return [line(head), line(rule), ...body];
}

/** The columns that fit, and their widths. */
function fitted(
  columns: readonly Column[],
  widest: readonly number[],
  limit: number | undefined,
): { readonly kept: readonly number[]; readonly widths: readonly number[] } {
  let kept = columns.map((_, index) => index);
  if (limit === undefined) return { kept, widths: widest };
  const smallest = (index: number) => {
    const { minimum, priority = 0 } = columns[index] ?? {};
    const wide = widest[index] ?? 0;
    return Math.min(wide, minimum ?? (index === kept.at(-1) && priority === 0 ? LAST_MINIMUM : wide));
  };
  const least = () => kept.reduce((sum, index) => sum + smallest(index), GAP * (kept.length - 1));
  while (least() > limit) {
    const priorities = kept.map((index) => columns[index]?.priority ?? 0);
    const highest = Math.max(...priorities);
    if (highest <= 0) break;
    const dropped = kept[priorities.lastIndexOf(highest)];
    kept = kept.filter((index) => index !== dropped);
  }
  // One that is narrow may fit where a more important one does not.
  const dropped = columns.map((_, index) => index).filter((index) => !kept.includes(index));
  for (const index of dropped.toSorted((a, b) => (columns[a]?.priority ?? 0) - (columns[b]?.priority ?? 0)))
    if (least() + GAP + smallest(index) <= limit) kept = [...kept, index].sort((a, b) => a - b);
  // What is left over goes to the columns from left to right.
  let room = limit - least();
  const widths = kept.map((index) => {
    const base = smallest(index);
    const more = Math.max(0, Math.min(room, (widest[index] ?? 0) - base));
    room -= more;
    return base + more;
  });
  // Columns that may not go are cut from the right, so that nothing wraps.
  let over = widths.reduce((sum, width) => sum + width, GAP * (widths.length - 1)) - limit;
  for (let at = widths.length - 1; at >= 0 && over > 0; at -= 1) {
    const cut = Math.min(over, (widths[at] ?? 0) - 1);
    widths[at] = (widths[at] ?? 0) - cut;
    over -= cut;
  }
  return { kept, widths };
}

function plain(text: Text | undefined): string {
  return text === undefined ? "" : typeof text === "string" ? text : text.text;
}

function pad(text: string, width: number, column: Column | undefined): string {
  const cut = truncate(text, width);
  const space = " ".repeat(Math.max(0, width - widthOf(cut)));
  return column?.align === "right" ? space + cut : cut + space;
}
