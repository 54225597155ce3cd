import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import {
  backupBefore,
  position,
  segmentAt,
  timelineOf,
  type Repository,
  type StoredBackup,
  type StoredSegment,
} from "./repository.ts";
import { suspects } from "./statements.ts";
import type { RestoreTarget } from "./target.ts";
import { commitsAround, commitsAroundPosition, segmentsFrom, type LoggedCommit } from "./wal.ts";

/** A target as a position, with what was read to find it. */
export interface Located {
  readonly backup: StoredBackup;
  readonly timeline: number;
  readonly goal: Goal;
  /** Commits around the goal. */
  readonly commits: readonly LoggedCommit[];
}

/** Where the replay stops: before the record at this position, or after it. */
export interface Goal {
  readonly lsn: string;
  readonly inclusive: boolean;
}

/** Reads the commits of segments. */
export type ReadCommits = (segments: readonly string[]) => Promise<readonly LoggedCommit[]>;

/** A backup to begin with, and how the target is found once its files are there. */
export interface Search {
  readonly backup: StoredBackup;
  /** @throws UserError if the backup is not before the target */
  scan(read: ReadCommits): Promise<Located>;
}

/** Segments that are searched at most for a commit around a time, which is near the first of them: 1 GiB. */
const MOST_SEGMENTS = 64;

/** Where to look for a target. @throws UserError if the repository does not go back so far, or has no such backup */
export function locate(repository: Repository, target: RestoreTarget): Search {
  const { backups, segments } = repository;
  const [oldest] = backups;
  const newest = backups.at(-1);
  if (oldest === undefined || newest === undefined) throw new Error("an empty repository is refused when it is read");
  switch (target.kind) {
    case "latest":
      return search(repository, newest, (read) => lastCommit(segments, newest, read));
    case "time":
      return search(repository, before(backups, target.at) ?? tooEarly(oldest), (read) =>
        atTime(segments, target.at, read),
      );
    case "lsn": {
      const segment = segments.findLast(({ name }) => name.endsWith(segmentAt(target.lsn)));
      if (segment === undefined) throw outside(target.lsn, "is in no segment of the archive");
      const backup = backupBefore(repository, timelineOf(segment.name), target.lsn) ?? tooEarly(oldest);
      return search(repository, backup, (read) => atPosition(segments, segment, target.lsn, false, read));
    }
    case "backup": {
      const backup = backups.find(({ label }) => label === target.label);
      if (backup === undefined) throw outside(target.label, "is not a backup in the repository");
      const segment = segments.findLast(({ name }) => name === backup.walStop);
      if (segment === undefined) throw outside(target.label, `has no segment ${backup.walStop} in the archive`);
      return search(repository, backup, (read) => atPosition(segments, segment, backup.lsnStop, true, read));
    }
    case "before": {
      const span = target.withinMinutes * 60_000;
      const [from, to] = [new Date(target.at.getTime() - span), new Date(target.at.getTime() + span)];
      return search(repository, before(backups, from) ?? oldest, (read) => atSuspect(segments, from, to, read));
    }
  }
}

type Found = Omit<Located, "backup">;

function search(repository: Repository, backup: StoredBackup, find: (read: ReadCommits) => Promise<Found>): Search {
  return {
    backup,
    scan: async (read) => {
      const found = await find(read);
      const usable = { ...repository, backups: [backup] };
      if (backupBefore(usable, found.timeline, found.goal.lsn) === undefined) tooEarly(backup);
      return { backup, ...found };
    },
  };
}

/** The last commit of the archive: it has no later position that a replay could stop at. */
async function lastCommit(
  segments: readonly StoredSegment[],
  { walStop, lsnStop }: StoredBackup,
  read: ReadCommits,
): Promise<Found> {
  for (let count = 2; ; count *= 2) {
    const commits = await read(names(segments.slice(-count)));
    const last = commits.at(-1);
    if (last !== undefined) return { timeline: last.timeline, goal: { lsn: last.lsn, inclusive: true }, commits };
    // Nothing was committed since the backup.
    if (count >= Math.min(segments.length, MOST_SEGMENTS))
      return { timeline: timelineOf(walStop), goal: { lsn: lsnStop, inclusive: true }, commits };
  }
}

async function atTime(segments: readonly StoredSegment[], at: Date, read: ReadCommits): Promise<Found> {
  const first = segmentsFrom(segments, at);
  for (let count = 3; ; count *= 2) {
    const commits = await read(names(segments.slice(first, first + count)));
    const { before, after } = commitsAround(commits, at);
    if (after !== undefined) {
      const goal = { lsn: after.lsn, inclusive: false };
      return { timeline: after.timeline, goal, commits };
    }
    if (first + count < segments.length && count < MOST_SEGMENTS) continue;
    if (before !== undefined) return { timeline: before.timeline, goal: { lsn: before.lsn, inclusive: true }, commits };
    throw outside(at.toISOString(), "is not near any commit in the archive");
  }
}

async function atPosition(
  segments: readonly StoredSegment[],
  segment: StoredSegment,
  lsn: string,
  inclusive: boolean,
  read: ReadCommits,
): Promise<Found> {
  const timeline = timelineOf(segment.name);
  const own = segments.filter(({ name }) => timelineOf(name) === timeline);
  const at = own.indexOf(segment);
  const commits = await read(names(own.slice(Math.max(0, at - 1), at + 2)));
  return { timeline, goal: { lsn, inclusive }, commits };
}

/** Before the first transaction in this time that may be the one. */
async function atSuspect(segments: readonly StoredSegment[], from: Date, to: Date, read: ReadCommits): Promise<Found> {
  const first = segmentsFrom(segments, from);
  const end = segments.findIndex(({ archivedAt }) => archivedAt.getTime() > to.getTime() + 120_000);
  const commits = await read(names(segments.slice(first, end < 0 ? undefined : end + 1)));
  const [suspect] = suspects(commits, from, to);
  if (suspect !== undefined)
    return { timeline: suspect.timeline, goal: { lsn: suspect.lsn, inclusive: false }, commits };
  throw outside(`${from.toISOString()} to ${to.toISOString()}`, "has no statement that took rows away");
}

/** The commits on either side of a goal. */
export function commitsToReport(
  commits: readonly LoggedCommit[],
  { lsn, inclusive }: Goal,
): ReturnType<typeof commitsAround> {
  const around = commitsAroundPosition(commits, lsn);
  if (!inclusive || around.after?.lsn !== lsn) return around;
  return { before: around.after, after: commits.find((commit) => position(commit.lsn) > position(lsn)) };
}

function before(backups: readonly StoredBackup[], at: Date): StoredBackup | undefined {
  return backups.findLast(({ stoppedAt }) => stoppedAt < at);
}

function names(segments: readonly StoredSegment[]): readonly string[] {
  return segments.map(({ name }) => name);
}

function tooEarly({ label, stoppedAt }: StoredBackup): never {
  throw outside(`backup ${label}`, `ended only at ${stoppedAt.toISOString()}, after the target`);
}

function outside(where: string, problem: string): UserError {
  return new UserError("not-found", where, problem, fix`${command("backup list")} shows what can be restored`);
}
