import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Where a file of a bundle comes from: its sources, relative to it, and for each line the source and the line there. */
export interface LineTable {
  readonly sources: readonly string[];
  readonly lines: readonly (readonly [source: number, line: number] | null)[];
}

/** A line of a file, counted from 1. */
interface Position {
  readonly file: string;
  readonly line: number;
}

const tables = new Map<string, LineTable | undefined>();

/** The line of a source that a line of a bundle was made from. All others are returned unchanged. */
export function sourcePosition(position: Position): Position {
  const { file } = position;
  if (!tables.has(file)) tables.set(file, tableOf(file));
  const table = tables.get(file);
  const [source = -1, line = 0] = table?.lines[position.line - 1] ?? [];
  const path = table?.sources[source];
  return path === undefined ? position : { file: resolve(dirname(file), path), line };
}

function tableOf(file: string): LineTable | undefined {
  const table = `${file}.lines.json`;
  return existsSync(table) ? (JSON.parse(readFileSync(table, "utf8")) as LineTable) : undefined;
}
