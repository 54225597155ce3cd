import { z } from "zod";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { BackupRecord } from "../backups/history.ts";
import type { RestoreTarget } from "../restore/target.ts";

/** A dump in the repository. */
export interface Snapshot {
  /** restic's short identifier. */
  readonly label: string;
  /** What was committed by then is in the dump. */
  readonly at: Date;
  /** Name of its schedule; null for one that another program stored. */
  readonly schedule: string | null;
}

const SNAPSHOTS = z
  .array(z.object({ short_id: z.string(), time: z.coerce.date(), tags: z.array(z.string()).nullish() }))
  .nullable();

/** The snapshots of `restic snapshots --json`, oldest first. */
export function snapshotsOf(json: string): readonly Snapshot[] {
  return (SNAPSHOTS.parse(JSON.parse(json)) ?? [])
    .map(({ short_id: label, time: at, tags }) => {
      const tag = tags?.find((each) => each.startsWith("schedule="));
      return { label, at, schedule: tag?.slice("schedule=".length) ?? null };
    })
    .sort((a, b) => a.at.getTime() - b.at.getTime());
}

/**
 * The dump to restore: the newest, the newest that has nothing from after a time, or a named one.
 *
 * @throws UserError `not-found` if there is none
 */
export function chosenDump(snapshots: readonly Snapshot[], target: DumpTarget, stack: string): Snapshot {
  const found = ((): Snapshot | undefined => {
    switch (target.kind) {
      case "latest":
        return snapshots.at(-1);
      case "time":
        return snapshots.findLast(({ at }) => at <= target.at);
      case "backup":
        return snapshots.find(
          ({ label }) => label === target.label || (label.length >= 8 && target.label.startsWith(label)),
        );
    }
  })();
  if (found !== undefined) return found;
  const [oldest] = snapshots;
  throw new UserError(
    "not-found",
    "repository of the dumps",
    oldest === undefined
      ? "has no dump"
      : target.kind === "backup"
        ? `has no dump ${target.label}`
        : `has no dump from before that time; the oldest is of ${oldest.at.toISOString()}`,
    fix`${command(oldest === undefined ? `backup now ${stack}` : `backup list ${stack}`)}`,
  );
}

/** What can be aimed at with dumps: they have no WAL. */
export type DumpTarget = Extract<RestoreTarget, { kind: "latest" | "time" | "backup" }>;

/** @throws UserError that says what to use instead, for a target that needs the WAL */
export function dumpTarget(target: RestoreTarget, stack: string): DumpTarget {
  if (target.kind !== "lsn" && target.kind !== "before") return target;
  const [where, what] =
    target.kind === "lsn" ? ["--to", "a position in the WAL"] : ["--before", "a statement that is searched in the WAL"];
  throw new UserError(
    "invalid-argument",
    where,
    `aims at ${what}, and the dumps of stack ${stack} have none`,
    fix`${command(`restore ${stack} --to 14:30`)} restores the last dump from before a time; with --in-place, Supabase's point-in-time recovery replays to it`,
  );
}

/** A row of the history as PostgreSQL's JSON has it. */
const DATE = z.coerce.date();
const RECORD = z.object({
  ...{ id: z.string(), schedule: z.string().nullable(), kind: z.string(), trigger: z.string() },
  status: z.enum(["pending", "in_progress", "completed", "failed"]),
  ...{ requestedAt: DATE, startedAt: DATE.nullable(), finishedAt: DATE.nullable(), label: z.string().nullable() },
  ...{ sizeBytes: z.number().nullable(), storedBytes: z.number().nullable(), error: z.string().nullable() },
  ...{ expiredAt: DATE.nullable(), verification: z.enum(["passed", "failed"]).nullable() },
});

/** The history, as `json_agg` of {@link RECORD_QUERY} writes it. */
export function historyOf(json: string): readonly BackupRecord[] {
  return z.array(RECORD).parse(JSON.parse(json));
}

/** History and repository together, newest first: each says what the other one lacks. */
export function listedBackups(
  snapshots: readonly Snapshot[],
  history: readonly BackupRecord[],
): readonly BackupRecord[] {
  const stored = new Set(snapshots.map(({ label }) => label));
  const recorded = new Set(history.map(({ label }) => label));
  return [
    ...history.map((record): BackupRecord =>
      record.status === "completed" && record.expiredAt === null
        ? { ...record, stored: stored.has(record.label ?? "") }
        : record,
    ),
    ...snapshots.filter(({ label }) => !recorded.has(label)).map(recordOf),
  ].sort((a, b) => b.requestedAt.getTime() - a.requestedAt.getTime());
}

/** What is known of a dump without the history. */
function recordOf({ label, at, schedule }: Snapshot): BackupRecord {
  return {
    ...{ id: label, schedule, kind: "dump", trigger: "schedule", status: "completed", requestedAt: at },
    ...{ startedAt: null, finishedAt: null, label, sizeBytes: null, storedBytes: null, error: null, expiredAt: null },
    ...{ verification: null, stored: true },
  };
}
