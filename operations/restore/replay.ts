import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { commitsToReport, locate, type Goal, type Located } from "./locate.ts";
import { position } from "./repository.ts";
import type { ScratchServer } from "./scratch.ts";
import { lossyStatements, meantStatement, suspects, type Fate, type LossyStatement } from "./statements.ts";
import type { RestoreTarget } from "./target.ts";
import type { Commit, LoggedCommit } from "./wal.ts";

/** A server that is read-only at its target. */
export interface Reached {
  readonly outcome: "reached";
  /** Label of the backup that it began with. */
  readonly backup: string;
  /** The last commit that it has. */
  readonly before: Commit | null;
  /** The first commit that it does not have; null if the archive ends before it. */
  readonly after: Commit | null;
  /** The statement that `--before` found. */
  readonly statement?: LossyStatement;
  /** Seconds to restore the files, and to replay the WAL. */
  readonly fetchSeconds: number;
  readonly replaySeconds: number;
}

/** Several statements match `--before`. */
export interface Ambiguous {
  readonly outcome: "ambiguous";
  readonly statements: readonly LossyStatement[];
}

/**
 * Restores the files, finds the target in the WAL and replays up to it.
 *
 * @param tables for `before`: only statements on these; all if it is empty
 */
export async function* reached(
  server: ScratchServer,
  target: RestoreTarget,
  tables: readonly string[],
): Operation<Reached | Ambiguous> {
  const located = yield* replayed(server, target);
  let { goal } = located;
  let statement: LossyStatement | undefined;
  if (target.kind === "before") {
    const statements = yield* findStatements(server, located, target, tables);
    statement = meantStatement(statements);
    if (statement === undefined && statements.length > 0) return { outcome: "ambiguous", statements };
    if (statement === undefined) throw noStatement(target, tables);
    goal = { lsn: statement.lsn, inclusive: false };
  }
  const { before, after } = commitsToReport(located.commits, goal);
  return {
    ...{ outcome: "reached", backup: located.backup.label, before: commitOf(before), after: commitOf(after) },
    ...(statement === undefined ? {} : { statement }),
    ...{ fetchSeconds: located.fetchSeconds, replaySeconds: located.replaySeconds },
  };
}

/**
 * The statements that took rows of tables away. Only a server from before a statement knows its tables, so the server goes on to
 * each transaction with files that it does not know. It ends before the statement that is meant.
 */
async function* findStatements(
  server: ScratchServer,
  located: Located,
  target: Extract<RestoreTarget, { kind: "before" }>,
  tables: readonly string[],
): Operation<readonly LossyStatement[]> {
  const step = { type: "step", id: "statement", title: "find the statement" } as const;
  yield { ...step, status: "started" };
  const { commits, goal, backup } = located;
  const found = suspects(commits, ...windowOf(target));
  const files = new Map(await relationFiles(server));
  const fates = new Map<string, Fate>();
  let at = goal;
  const moveTo = async (next: Goal) => {
    await server.stop();
    const back = position(next.lsn) < position(at.lsn) || (next.lsn === at.lsn && !next.inclusive);
    if (back) await server.fetch(backup.label);
    await server.start(settingsOf(located, next));
    at = next;
  };
  for (const { lsn, dropped, deleted, created } of found) {
    if (![...dropped, ...deleted.keys()].every((file) => files.has(file))) {
      await moveTo({ lsn, inclusive: false });
      for (const [file, table] of await relationFiles(server)) files.set(file, table);
    }
    const named = dropped.flatMap((file) => files.get(file) ?? []);
    // Without a new file, the table is gone; with one, it is also known only afterwards whether its rows are in it.
    if (created === 0 || named.length === 0) continue;
    await moveTo({ lsn, inclusive: true });
    for (const table of named) fates.set(`${lsn} ${table}`, await fate(server, table));
  }
  const fateOf = (lsn: string, table: string) => fates.get(`${lsn} ${table}`) ?? "gone";
  const statements = lossyStatements(found, (file) => files.get(file), fateOf, tables);
  const meant = meantStatement(statements);
  if (meant !== undefined && (meant.lsn !== at.lsn || at.inclusive)) await moveTo({ lsn: meant.lsn, inclusive: false });
  yield { ...step, status: "done", detail: meant === undefined ? `${String(statements.length)} match` : meant.lsn };
  return statements;
}

interface Replayed extends Located {
  readonly fetchSeconds: number;
  readonly replaySeconds: number;
}

/** Restores the files, finds the target in the WAL and replays up to it. */
async function* replayed(server: ScratchServer, target: RestoreTarget): Operation<Replayed> {
  const found = locate(await server.repository(), target);
  const fetch = { type: "step", id: "fetch", title: `restore the files of ${found.backup.label}` } as const;
  yield { ...fetch, status: "started" };
  const fetchSeconds = await timed(() => server.fetch(found.backup.label));
  yield { ...fetch, status: "done", seconds: fetchSeconds };
  const scan = { type: "step", id: "find", title: "find the target in the WAL" } as const;
  yield { ...scan, status: "started" };
  const located = await found.scan((segments) => server.commits(segments));
  const { before, after } = commitsToReport(located.commits, located.goal);
  yield { ...scan, status: "done", detail: `between ${shown(before)} and ${shown(after)}` };
  const replay = { type: "step", id: "replay", title: "replay the WAL" } as const;
  yield { ...replay, status: "started" };
  const replaySeconds = await timed(() => server.start(settingsOf(located, located.goal)));
  yield { ...replay, status: "done", detail: located.goal.lsn, seconds: replaySeconds };
  return { ...located, fetchSeconds, replaySeconds };
}

/**
 * The server's settings for a goal. Before a commit, the server stops after the commit in front of it: the transaction itself may hold
 * locks, such as those of a `drop table`, that keep everyone from its tables.
 */
function settingsOf({ timeline, commits, backup }: Located, goal: Goal): Readonly<Record<string, string>> {
  const { before } = commitsToReport(commits, goal);
  const usable = before !== undefined && position(before.lsn) > position(backup.lsnStop);
  const { lsn, inclusive } = usable ? { lsn: before.lsn, inclusive: true } : goal;
  return {
    recovery_target_timeline: String(timeline),
    recovery_target_lsn: lsn,
    recovery_target_inclusive: inclusive ? "on" : "off",
    recovery_target_action: "pause",
  };
}

async function fate(server: ScratchServer, table: string): Promise<Fate> {
  const size = await server.sql(`select pg_relation_size(to_regclass(${pg.escapeLiteral(table)}))`);
  return size === "" ? "gone" : size === "0" ? "empty" : "kept";
}

/** The files of all relations, each with the name of its table; undefined for all but the tables of users. */
async function relationFiles(server: ScratchServer): Promise<readonly (readonly [string, string | undefined])[]> {
  const rows = await server.sql(
    `select d.oid || '/' || pg_relation_filenode(c.oid),
       case when c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
         then format('%I.%I', n.nspname, c.relname) end
     from pg_class as c join pg_namespace as n on n.oid = c.relnamespace, pg_database as d
     where d.datname = current_database() and pg_relation_filenode(c.oid) is not null`,
  );
  return rows.split("\n").map((row) => {
    const [file = "", table = ""] = row.split("|");
    return [file, table === "" ? undefined : table];
  });
}

/** The time in which `--before` looks for the statement. */
function windowOf({ at, withinMinutes }: Extract<RestoreTarget, { kind: "before" }>): readonly [Date, Date] {
  const span = withinMinutes * 60_000;
  return [new Date(at.getTime() - span), new Date(at.getTime() + span)];
}

function noStatement(target: Extract<RestoreTarget, { kind: "before" }>, tables: readonly string[]): UserError {
  const [from, to] = windowOf(target);
  const what = tables.length === 0 ? "a table" : tables.join(" or ");
  return new UserError(
    "not-found",
    `${from.toISOString()} to ${to.toISOString()}`,
    `no statement dropped, truncated or deleted from ${what}`,
    fix`give another time, a longer --within, or the table; for example ${command("restore --before 14:30 --within 120")}`,
  );
}

function commitOf(commit: LoggedCommit | undefined): Commit | null {
  return commit === undefined ? null : { lsn: commit.lsn, at: commit.at, transaction: commit.transaction };
}

function shown(commit: LoggedCommit | undefined): string {
  return commit === undefined ? "the end of the archive" : commit.at.toISOString();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
