import type { ExaiEvent, ViewEvent } from "../../contract/events.ts";

/** Prints events. Standard output carries results; progress goes to standard error where it would spoil a pipe. */
export interface Renderer {
  show(event: ExaiEvent): void;
  /** Prints a failure that ended the verb. */
  fail(message: string): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

export interface Streams {
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
}

/** Seconds for a person: `0.4 s`, `12 s`, `3 min 5 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
}

/** Lines of a table whose columns are as wide as their widest cell. */
export function tableLines(columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(columns), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}

/** Prints a view's line when something has changed, and says nothing otherwise. */
export function viewLines(out: NodeJS.WritableStream): (event: ViewEvent) => void {
  let last: string | undefined;
  return ({ line, change }) => {
    if (change !== last) out.write(`${line}\n`);
    last = change;
  };
}
