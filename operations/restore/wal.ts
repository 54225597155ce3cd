import { position, type StoredSegment } from "./repository.ts";

/** A committed transaction, as the WAL has it. */
export interface Commit {
  /** Where the record of the commit begins. */
  readonly lsn: string;
  readonly at: Date;
  readonly transaction: number;
}

/** A transaction with what it took away. A file is `DATABASE/FILENODE`. */
export interface LoggedCommit extends Commit {
  readonly timeline: number;
  /** Files of tables, indexes and TOAST that were dropped or replaced. */
  readonly dropped: readonly string[];
  /** How many files it created. */
  readonly created: number;
  /** Rows that it deleted, by file. */
  readonly deleted: ReadonlyMap<string, number>;
}

/** Reads what `exai-wal` of the image prints. */
export function loggedCommits(text: string): readonly LoggedCommit[] {
  return text.split("\n").flatMap((line) => {
    const [timeline, lsn, time, transaction, dropped = "", created, deleted = ""] = line.split("\t");
    if (timeline === undefined || lsn === undefined || time === undefined) return [];
    return [
      {
        timeline: Number(timeline),
        lsn,
        at: new Date(`${time.replace(" ", "T")}Z`),
        transaction: Number(transaction),
        dropped: dropped.split(",").filter(Boolean),
        created: Number(created),
        deleted: new Map(
          deleted
            .split(",")
            .filter(Boolean)
            .map((each) => each.split("="))
            .map(([file = "", rows]) => [file, Number(rows)] as const),
        ),
      },
    ];
  });
}

/** The segments that a scan reads first to find a time: those archived around it. `from` counts in the whole list. */
export function segmentsFrom(segments: readonly StoredSegment[], at: Date): number {
  // A segment is archived after its last commit; the clock of the archive counts whole seconds.
  const first = segments.findIndex(({ archivedAt }) => archivedAt.getTime() >= at.getTime() - 2000);
  return Math.max(0, (first < 0 ? segments.length : first) - 1);
}

/** The last commit that a restore to a time includes, and the first one that it does not. */
export function commitsAround(
  commits: readonly LoggedCommit[],
  at: Date,
): { readonly before: LoggedCommit | undefined; readonly after: LoggedCommit | undefined } {
  const after = commits.find((commit) => commit.at > at);
  return { before: commits.findLast((commit) => commit.at <= at && precedes(commit, after)), after };
}

/** The same around a position: a commit whose record begins there is not included. */
export function commitsAroundPosition(commits: readonly LoggedCommit[], lsn: string): ReturnType<typeof commitsAround> {
  return {
    before: commits.findLast((commit) => position(commit.lsn) < position(lsn)),
    after: commits.find((commit) => position(commit.lsn) >= position(lsn)),
  };
}

function precedes(commit: LoggedCommit, other: LoggedCommit | undefined): boolean {
  return other === undefined || position(commit.lsn) < position(other.lsn);
}
