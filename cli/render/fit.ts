const ESCAPE = /(\x1b\[[0-9;]*m)/;

/** Cuts a line that would wrap: a wrapped line cannot be rewritten. Escape sequences take no room. */
export function fit(line: string, columns: number): string {
  let room = columns - 1;
  let cut = "";
  for (const part of line.split(ESCAPE)) {
    if (part.startsWith("\x1b")) cut += part;
    else {
      cut += part.slice(0, Math.max(room, 0));
      room -= part.length;
    }
  }
  return cut;
}

/** Characters of a line that a terminal shows. */
export function shownLength(line: string): number {
  return line
    .split(ESCAPE)
    .filter((part) => !part.startsWith("\x1b"))
    .reduce((sum, part) => sum + part.length, 0);
}

/** A stream's terminal, where it is one; a terminal that tells no size is taken for 120 by 40. */
export function sizeOf(stream: NodeJS.WritableStream): {
  readonly terminal: boolean;
  readonly columns: number;
  readonly rows: number;
} {
  const { isTTY, columns, rows } = stream as Partial<NodeJS.WriteStream>;
  return {
    terminal: isTTY === true,
    columns: columns === undefined || columns === 0 ? 120 : columns,
    rows: rows === undefined || rows === 0 ? 40 : rows,
  };
}
