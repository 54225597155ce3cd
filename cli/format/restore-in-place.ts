import { command } from "../../contract/fix.ts";
import type { InPlaceResult, RestoreAborted, RestoredInPlace } from "../../operations/restore/in-place.ts";
import type { RestoreTarget } from "../../operations/restore/target.ts";
import type { LossyStatement } from "../../operations/restore/statements.ts";
import type { Unfinished } from "../../operations/restore/unfinished.ts";
import type { Commit } from "../../operations/restore/wal.ts";
import type { HostedRestored } from "../../operations/supabase/pitr.ts";
import { heading, next, pairs, type Block, type NextCommand } from "./block.ts";
import { count, span, utc } from "./units.ts";

/** `restore --in-place` and `restore resume`. */
export function formatInPlace(result: InPlaceResult): readonly Block[] {
  switch (result.outcome) {
    case "ambiguous":
      return ambiguous(result.statements);
    case "not-proved":
      return [
        checks(result.checks),
        heading(
          result.serves
            ? "not restored: a check failed, and the database is unchanged"
            : "not restored: a check failed",
        ),
        next(
          { ...command("backup verify"), comment: "says whether the repository is sound" },
          result.serves
            ? {
                ...command("restore --in-place --without-proof"),
                comment: "with the same target, accepts the failed checks",
              }
            : { ...command("restore resume --without-proof"), comment: "accepts the failed checks" },
        ),
      ];
    case "restored-in-place":
    case "no-backup":
      return restored(result);
  }
}

function restored(result: RestoredInPlace): readonly Block[] {
  const { backup, before, after, safety, firstBackup, kept } = result;
  const { fetchSeconds, replaySeconds, proofSeconds, downSeconds } = result;
  const times = `files ${span(fetchSeconds)}, replay ${span(replaySeconds)}, proof ${span(proofSeconds)}`;
  return [
    ...(result.checks.length === 0 ? [] : [checks(result.checks)]),
    heading(`the database is restored (${times}); it did not serve for ${span(downSeconds)}`),
    pairs({
      // After an interruption these are not known.
      ...(backup === ""
        ? {}
        : {
            backup,
            "last commit": committed(before, "none in the WAL that was searched"),
            "next commit": committed(after, "the archive ends here"),
          }),
      "backup before": safety ?? "none",
      "first backup": firstBackup ?? "failed",
      ...(kept === null ? {} : { "previous files": `${kept}, in the volume of the database` }),
    }),
    next(...(firstBackup === null ? [command("backup now --kind full")] : [command("backup list")]), {
      ...command("migrate plan"),
      comment: "lists the migrations that the restored state does not have",
    }),
  ];
}

/** `restore abort`. */
export function formatRestoreAbort({ phase }: RestoreAborted): readonly Block[] {
  const lost = phase === "backup" ? "; what was written to the restored one is in the archive" : "";
  return [heading(`the database is the one from before the restore${lost}`), next(command("status"))];
}

/** What `restore --in-place` asks before it begins. */
export function inPlaceQuestion(target: RestoreTarget, withoutBackup: boolean): string {
  const state = ((): string => {
    switch (target.kind) {
      case "latest":
        return "the last commit in the archive";
      case "time":
        return `${stamp(target.at)} UTC`;
      case "lsn":
        return `before ${target.lsn}`;
      case "backup":
        return `the end of ${target.label}`;
      case "before":
        return `before a statement of about ${stamp(target.at)} UTC`;
    }
  })();
  const backup = withoutBackup ? "without a backup of it" : "after a backup of it";
  return `This replaces the database, ${backup}, by its state at: ${state}. Users get 503 meanwhile, and what they wrote since is gone from it.`;
}

/** What `restore --in-place` of a hosted database asks before it begins. */
export function hostedQuestion(project: string, at: Date): string {
  return `This has Supabase replace the database of project ${project} by its state at: ${stamp(at)} UTC. The project does not serve meanwhile, and what users wrote since is gone from it.`;
}

/** Supabase has restored a project. */
export function formatHosted({ project, at, seconds, stack }: HostedRestored): readonly Block[] {
  return [
    heading(`project ${project} is restored to ${utc(at)} UTC (${span(seconds)})`),
    next(
      { ...command(`migrate plan ${stack}`), comment: "lists the migrations that the restored state does not have" },
      { ...command(`up ${stack}`), comment: "gives the roles their present passwords, if they were changed since" },
    ),
  ];
}

/** A restore in place that was killed. */
export function formatUnfinished({ phase, startedAt }: Unfinished): readonly Block[] {
  const state = {
    closed: "the database is stopped, and its files are unchanged",
    swap: "the database is stopped, and the restored files are taking its place",
    backup: "the restored database serves, and has no backup yet",
  };
  return [
    heading(`a restore in place of ${utc(startedAt)} is unfinished: ${state[phase]}`),
    next(command("restore resume"), command("restore abort")),
  ];
}

/** The checks of a proof. */
export function checks(all: RestoredInPlace["checks"]): Block {
  return {
    type: "table",
    columns: [{ title: "CHECK" }, { title: "STATUS" }, { title: "DETAIL" }],
    rows: all.map(({ name, status, detail }) => [name, status, detail]),
  };
}

function ambiguous(statements: readonly LossyStatement[]): readonly Block[] {
  return [
    {
      type: "table",
      columns: [{ title: "COMMITTED (UTC)" }, { title: "STATEMENT" }, { title: "POSITION" }],
      rows: statements.map((statement) => [utc(statement.at), what(statement), statement.lsn]),
    },
    heading(`${count(statements.length, "statement")} took rows away: say which one`),
    next(
      ...statements.slice(0, 3).map(({ lsn, ...rest }): NextCommand => ({
        ...command(`restore --to ${lsn}`),
        comment: `before ${what({ lsn, ...rest })}`,
      })),
    ),
  ];
}

/** A statement, in words. */
export function what({ kind, tables, rows }: LossyStatement): string {
  const names = tables.join(", ");
  return kind === "delete" ? `delete of ${count(rows ?? 0, "row")} from ${names}` : `${kind} of ${names}`;
}

/** A commit, or the words for none. */
export function committed(commit: Commit | null, none: string): string {
  return commit === null ? none : `${stamp(commit.at)}, transaction ${String(commit.transaction)} at ${commit.lsn}`;
}

/** To the millisecond: commits may be close to each other. */
export function stamp(at: Date): string {
  return at.toISOString().slice(0, 23).replace("T", " ");
}
