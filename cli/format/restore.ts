import { command } from "../../contract/fix.ts";
import type { RestoreResult } from "../../operations/restore/restore.ts";
import type { ScratchInfo } from "../../operations/restore/scratch.ts";
import type { LossyStatement } from "../../operations/restore/statements.ts";
import type { Commit } from "../../operations/restore/wal.ts";
import type { RestoreListData } from "../results.ts";
import { heading, next, pairs, type Block, type NextCommand } from "./block.ts";
import { count, span, utc } from "./units.ts";

/** `restore`. */
export function formatRestore(result: RestoreResult): readonly Block[] {
  if (result.outcome === "ambiguous") return ambiguous(result.statements);
  const { name, container, state, backup, before, after, statement, tables, fetchSeconds, replaySeconds } = result;
  return [
    heading(`${name} is restored and ${state} (files ${span(fetchSeconds)}, replay ${span(replaySeconds)})`),
    pairs({
      backup,
      "last commit": committed(before, "none in the WAL that was searched"),
      "next commit": committed(after, "the archive ends here"),
      ...(statement === undefined ? {} : { statement: described(statement) }),
      ...Object.fromEntries(tables.map(({ table, as, rows }) => [table, `${as}, ${count(rows, "row")}`])),
    }),
    next(
      session(container),
      ...(state === "read-only" ? [command(`restore promote ${name}`)] : []),
      command(`restore drop ${name}`),
    ),
  ];
}

/** `restore list`. */
export function formatRestoreList({ servers }: RestoreListData): readonly Block[] {
  return [
    {
      type: "table",
      columns: [{ title: "NAME" }, { title: "MADE (UTC)" }, { title: "STATE" }, { title: "CONTAINER", priority: 1 }],
      rows: servers.map(({ name, createdAt, running, container }) => [
        name,
        utc(createdAt),
        running ? "running" : "stopped",
        container,
      ]),
    },
    heading(count(servers.length, "scratch server")),
  ];
}

/** `restore promote`. */
export function formatRestorePromote({ name, container }: ScratchInfo): readonly Block[] {
  return [heading(`${name} is writable`), next(session(container), command(`restore drop ${name}`))];
}

/** `restore drop`. */
export function formatRestoreDrop({ name }: ScratchInfo): readonly Block[] {
  return [heading(`${name} is removed`), next(command("restore list"))];
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

function described(statement: LossyStatement): string {
  return `${what(statement)}, committed ${stamp(statement.at)}`;
}

function what({ kind, tables, rows }: LossyStatement): string {
  const names = tables.join(", ");
  return kind === "delete" ? `delete of ${count(rows ?? 0, "row")} from ${names}` : `${kind} of ${names}`;
}

function committed(commit: Commit | null, none: string): string {
  return commit === null ? none : `${stamp(commit.at)}, transaction ${String(commit.transaction)} at ${commit.lsn}`;
}

/** To the millisecond: commits may be close to each other. */
function stamp(at: Date): string {
  return at.toISOString().slice(0, 23).replace("T", " ");
}

function session(container: string): NextCommand {
  return { shell: `docker exec --interactive --tty ${container} psql` };
}
