import type { LoggedCommit } from "./wal.ts";

/** A committed transaction that took rows away. */
export interface LossyStatement {
  readonly kind: "drop" | "truncate" | "delete";
  /** Tables, with their schema. */
  readonly tables: readonly string[];
  /** Rows that were deleted; absent for the other kinds. */
  readonly rows?: number;
  /** Position of the commit. */
  readonly lsn: string;
  readonly at: Date;
}

/** The transactions that took anything away: which tables, only a server from before them can say. */
export function suspects(commits: readonly LoggedCommit[], from: Date, to: Date): readonly LoggedCommit[] {
  return commits.filter(
    ({ at, dropped, deleted }) => at >= from && at <= to && (dropped.length > 0 || deleted.size > 0),
  );
}

/** What became of a table whose file a transaction dropped: a table that is rewritten, as by `vacuum full`, keeps its rows. */
export type Fate = "gone" | "empty" | "kept";

/**
 * The statements among these transactions that took rows of tables away.
 *
 * @param tableOf name of the table that a file belongs to; undefined for an index, TOAST or a table that was made later
 * @param fateOf what became of a table in the transaction whose commit is at a position
 * @param wanted only these tables; all if it is empty
 */
export function lossyStatements(
  commits: readonly LoggedCommit[],
  tableOf: (file: string) => string | undefined,
  fateOf: (lsn: string, table: string) => Fate,
  wanted: readonly string[],
): readonly LossyStatement[] {
  const known = (files: Iterable<string>) =>
    [...files].flatMap((file) => {
      const table = tableOf(file);
      return table === undefined || (wanted.length > 0 && !wanted.includes(table)) ? [] : [{ file, table }];
    });
  const names = (found: readonly { readonly table: string }[]) => [...new Set(found.map(({ table }) => table))];
  return commits.flatMap(({ lsn, at, dropped, deleted }): readonly LossyStatement[] => {
    const lost = names(known(dropped)).filter((table) => fateOf(lsn, table) !== "kept");
    if (lost.length > 0) {
      const kind = lost.some((table) => fateOf(lsn, table) === "gone") ? "drop" : "truncate";
      return [{ kind, tables: lost, lsn, at }];
    }
    const rows = known(deleted.keys());
    if (rows.length === 0) return [];
    const count = rows.reduce((sum, { file }) => sum + (deleted.get(file) ?? 0), 0);
    return [{ kind: "delete", tables: names(rows), rows: count, lsn, at }];
  });
}

/** The statement that is meant, if that is clear: the only drop or truncate, else the only delete. */
export function meantStatement(statements: readonly LossyStatement[]): LossyStatement | undefined {
  const dropped = statements.filter(({ kind }) => kind !== "delete");
  const [first, ...others] = dropped.length > 0 ? dropped : statements;
  return others.length === 0 ? first : undefined;
}
