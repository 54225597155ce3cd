import { isDeepStrictEqual } from "node:util";
import type { Outcome } from "./replay.ts";

/** How the branch answered otherwise than main. */
export interface StatementDifference {
  /**
   * - `error`: another SQLSTATE, or an error on one side alone.
   * - `columns`: other names or types of columns.
   * - `rows`: other rows, or another number of them.
   */
  readonly kind: "error" | "columns" | "rows";
  readonly main: string;
  readonly branch: string;
}

/**
 * Compares two answers. Rows without `order by` are compared as a set, because PostgreSQL promises no order.
 *
 * @param skip indexes of columns whose values change with each run
 */
export function compareOutcomes(
  sql: string,
  main: Outcome,
  branch: Outcome,
  skip: ReadonlySet<number> = new Set(),
): StatementDifference | undefined {
  if (main.error?.code !== branch.error?.code)
    return { kind: "error", main: errorText(main), branch: errorText(branch) };
  if (!isDeepStrictEqual(main.columns, branch.columns))
    return { kind: "columns", main: main.columns.join(", "), branch: branch.columns.join(", ") };
  const [ours, theirs] = [rowsOf(sql, main, skip), rowsOf(sql, branch, skip)];
  if (main.count === branch.count && isDeepStrictEqual(ours, theirs)) return undefined;
  const at = ours.findIndex((row, index) => row !== theirs[index]);
  const shown = (rows: readonly string[], count: number) =>
    `${String(count)} rows; ${rows[at < 0 ? ours.length : at] ?? "no other row"}`;
  return { kind: "rows", main: shown(ours, main.count), branch: shown(theirs, branch.count) };
}

/**
 * Columns whose values differ between two runs on the same server, such as `now()` or a new identifier; undefined if the answers differ
 * otherwise, so that nothing can be said about them.
 */
export function volatileColumns(first: Outcome, second: Outcome): ReadonlySet<number> | undefined {
  if (first.error?.code !== second.error?.code || first.count !== second.count) return undefined;
  return new Set(
    first.columns.flatMap((_, column) =>
      first.rows.some((row, index) => row[column] !== second.rows[index]?.[column]) ? [column] : [],
    ),
  );
}

function rowsOf(sql: string, { rows }: Outcome, skip: ReadonlySet<number>): readonly string[] {
  const texts = rows.map((row) => JSON.stringify(row.filter((_, column) => !skip.has(column))));
  return /\border\s+by\b/i.test(sql) ? texts : texts.sort();
}

function errorText({ error, count }: Outcome): string {
  return error === undefined ? `${String(count)} rows` : `${error.code}: ${error.message}`;
}
