import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { UserError } from "../../contract/errors.ts";
import type { Operation, StepEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import { blockerText } from "../../contract/sql/blocker.ts";
import { migrationKind, type MigrationKind } from "../../contract/sql/migration.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { isEdited } from "./edited.ts";
import { migrationFiles, migrationLabel } from "../../contract/sql/files.ts";
import { endBackends, serverTime } from "./backends.ts";
import { withClient } from "./client.ts";
import { LOCK_WAIT, pauseAfter, type LockWait } from "./locks.ts";
import { withMigrationsUpTo } from "./part.ts";
import { pushOnce, type Pushed } from "./push.ts";
import { SUPABASE_APPLICATION, SupabaseError } from "./supabase.ts";
import { databaseUrl, type DatabaseUrl } from "./url.ts";

export interface MigrationOptions {
  /** Root of the project that holds supabase/migrations. @default the checkout */
  readonly root?: string;
  readonly signal?: AbortSignal | undefined;
  /** Seconds until a database that does not answer counts as unreachable. @default 10 */
  readonly connectSeconds?: number;
}

export interface ApplyOptions extends MigrationOptions {
  /** The last version to apply. @default all */
  readonly upTo?: string | undefined;
  /** How it waits for locks. @default LOCK_WAIT */
  readonly locks?: LockWait | undefined;
}

/** One migration of the files, of the database, or of both. */
export interface MigrationState {
  readonly version: string;
  /** Without version; empty if the database does not have it. */
  readonly name: string;
  /** Whether a file has it. */
  readonly file: boolean;
  readonly applied: boolean;
  /** Whether the file was changed after it was applied. */
  readonly edited: boolean;
  readonly kind: MigrationKind;
}

/** A migration that was just applied. */
export type AppliedMigration = Pick<MigrationState, "version" | "name" | "kind">;

/**
 * The migrations of the files and of the database, by version.
 *
 * @throws UserError `unavailable` if the database cannot be read
 */
export async function migrationStatus(url: string, options: MigrationOptions = {}): Promise<readonly MigrationState[]> {
  const root = options.root ?? PROJECT_ROOT;
  const files = new Map(migrationFiles(root).map((file) => [file.version, file]));
  const applied = await readLedger(databaseUrl(url), options.connectSeconds);
  return [...new Set([...files.keys(), ...applied.keys()])].sort().map((version) => {
    const [file, record] = [files.get(version), applied.get(version)];
    // The database's name takes precedence: a file that was renamed later does not change what was applied.
    const name = record?.name ?? file?.name ?? "";
    return {
      ...{ version, name, file: file !== undefined, applied: record !== undefined, kind: migrationKind(name) },
      edited: file !== undefined && record !== undefined && isEdited(file.sql, record.statements),
    };
  });
}

/**
 * Applies the pending migrations with the Supabase CLI, each in its own transaction, and returns them. One that gets
 * no lock in time is rolled back and tried again, and each session that blocks it is reported. The CLI is not started if
 * nothing is pending. Whether the running releases allow it is not checked here, but in `operations/schema`.
 *
 * @throws UserError `lock-held` that names the sessions that hold the lock
 * @throws UserError that names the migration and PostgreSQL's error, if the database is unreachable, or if it has
 *   migrations that the files lack
 */
export async function* applyMigrations(
  url: string,
  options: ApplyOptions = {},
): Operation<readonly AppliedMigration[]> {
  const root = options.root ?? PROJECT_ROOT;
  const database = databaseUrl(url);
  const status = await migrationStatus(url, options);
  refuseUnknown(status, database);
  const wanted = ({ applied, version }: MigrationState) =>
    !applied && (options.upTo === undefined || version <= options.upTo);
  const pending = status.filter(wanted);
  const step = { type: "step", id: "migrate", title: "migrations" } as const;
  if (pending.length === 0) {
    yield { ...step, status: "unchanged", detail: `nothing to apply, ${status.length} applied` };
    return [];
  }
  const started = performance.now();
  yield { ...step, status: "started", detail: `${pending.length} to apply` };

  const seconds = () => (performance.now() - started) / 1000;
  const since = await serverTime(database);
  const { signal, locks = LOCK_WAIT } = options;
  const push = (part: string) =>
    pushOnce(database, { root: part, since, lockTimeoutSeconds: locks.timeoutSeconds, signal });
  let refused: number | undefined;
  for (let tries = 1; ; tries += 1) {
    const pushed = yield* progressOf(step, withMigrationsUpTo(root, options.upTo, push));
    const { error, file, blockers } = pushed;
    if (error === undefined) break;
    refused ??= performance.now();
    const over = (performance.now() - refused) / 1000 >= locks.deadlineSeconds;
    if (signal?.aborted !== true && isLockTimeout(error) && !over) {
      const pause = pauseAfter(tries);
      yield {
        ...step,
        status: "progress",
        detail: `${file ?? ""}: no lock, try ${tries + 1} in ${pause.toFixed(1)} s`,
      };
      // An interruption ends the pause, and the next run.
      await sleep(pause * 1000, undefined, { signal }).catch(() => undefined);
      continue;
    }
    yield { ...step, status: "failed", blockers, seconds: seconds() };
    if (signal?.aborted === true) throw await interrupted(database, since, pending, options);
    throw isLockTimeout(error) ? blocked(pushed, locks, tries) : explain(error, database, file);
  }
  const left = (await migrationStatus(url, options)).filter(wanted);
  if (left.length > 0)
    throw new UserError(
      "failed",
      database.display,
      `the Supabase CLI reported success, but the database still lacks ${left.map(migrationLabel).join(", ")}`,
      fix`${command("migrate plan")}`,
    );
  yield { ...step, status: "done", detail: `${pending.length} applied`, seconds: seconds() };
  return pending.map(({ version, name, kind }) => ({ version, name, kind }));
}

/** A run of the CLI as events of a step. */
async function* progressOf(
  step: Pick<StepEvent, "type" | "id" | "title">,
  run: AsyncGenerator<Pick<StepEvent, "detail" | "blockers">, Pushed, void>,
): Operation<Pushed> {
  for (;;) {
    const { done, value } = await run.next();
    if (done === true) return value;
    yield { ...step, status: "progress", ...value };
  }
}

/** Ends what the killed CLI has left in the database, and says what was applied. */
async function interrupted(
  database: DatabaseUrl,
  since: string,
  pending: readonly MigrationState[],
  options: MigrationOptions,
): Promise<Interrupted> {
  const again = fix`${command("migrate plan")}, then ${command("migrate apply")}`;
  try {
    const left = await endBackends(database, SUPABASE_APPLICATION, since);
    if (left.length > 0) {
      const pids = left.join(", ");
      return new Interrupted(
        `PostgreSQL has not ended the statement of process ${pids}: it may still be applied`,
        fix`select pg_terminate_backend(pid), for ${pids}; then ${command("migrate plan")}`,
      );
    }
    const applied = await readLedger(database, options.connectSeconds);
    const done = pending.filter(({ version }) => applied.has(version));
    const names = done.length === 0 ? "none" : done.map(migrationLabel).join(", ");
    return new Interrupted(`PostgreSQL has ended the statement; applied by this run: ${names}`, again);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new Interrupted(
      `PostgreSQL could not be asked to end the statement (${reason}): it may still be applied`,
      fix`select pid, query from pg_stat_activity where application_name = '${SUPABASE_APPLICATION}'; then ${command("migrate plan")}`,
      { cause },
    );
  }
}

function refuseUnknown(status: readonly MigrationState[], database: DatabaseUrl): void {
  const unknown = status.filter((migration) => !migration.file);
  if (unknown.length === 0) return;
  throw new UserError(
    "state-conflict",
    database.display,
    `has migrations that supabase/migrations does not have: ${unknown.map(migrationLabel).join(", ")}`,
    "git pull, or check out the branch that has them",
  );
}

/** A migration in the history table of the Supabase CLI. */
export interface MigrationRecord {
  readonly version: string;
  readonly name: string;
  /** Null if they were not recorded. */
  readonly statements: readonly string[] | null;
}

/** The history table of the Supabase CLI, by version; empty if it has never run. @throws UserError `unavailable` */
export async function readLedger(
  database: DatabaseUrl,
  seconds?: number,
): Promise<ReadonlyMap<string, MigrationRecord>> {
  const read = async (client: Client): Promise<ReadonlyMap<string, MigrationRecord>> => {
    const { rows } = await client.query<{ there: boolean }>(
      "select to_regclass('supabase_migrations.schema_migrations') is not null as there",
    );
    if (rows[0]?.there !== true) return new Map();
    // As JSON, since a table of an older CLI has no statements.
    const history = await client.query<MigrationRecord>(
      `select m.version, coalesce(m.name, '') as name, to_jsonb(m) -> 'statements' as statements
       from supabase_migrations.schema_migrations m order by m.version`,
    );
    return new Map(history.rows.map((row) => [row.version, row]));
  };
  return withClient(database, read, { seconds }).catch((cause: unknown) => {
    throw unreachable(database, cause);
  });
}

/** The error of a database that could not be read. */
export function unreachable(database: DatabaseUrl, cause: unknown, reason = reasonOf(cause)): UserError {
  const problem = `cannot be read: ${reason}`;
  return new UserError("unavailable", database.display, problem, fix`${command("up")}, then check the database's URL`, {
    cause,
  });
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

/** Whether PostgreSQL gave up the wait for a lock. */
function isLockTimeout(error: unknown): boolean {
  return error instanceof SupabaseError && /due to lock timeout|SQLSTATE 55P03/.test(error.message);
}

function blocked({ file = "", blockers, error }: Pushed, locks: LockWait, tries: number): UserError {
  const by = blockers.length === 0 ? "the lock is free now" : blockers.map(blockerText).join("; ");
  const pids = blockers.filter(({ pid }) => pid !== 0).map(({ pid }) => pid);
  const again = command("migrate apply");
  return new UserError(
    "lock-held",
    `supabase/migrations/${file}`,
    `got no lock in ${tries} ${tries === 1 ? "try" : "tries"} of ${locks.timeoutSeconds} s, and nothing of it was kept: ${by}`,
    pids.length === 0
      ? fix`${again}`
      : fix`end its transaction, or select pg_terminate_backend(pid), for ${pids.join(", ")}; then ${again}`,
    { cause: error },
  );
}

function explain(error: unknown, database: DatabaseUrl, current: string | undefined): unknown {
  if (!(error instanceof SupabaseError)) return error;
  if (error.code === "LegacyDbPushApplyError" && current !== undefined)
    return new UserError(
      "failed",
      `supabase/migrations/${current}`,
      `the database rejected it, and nothing of it was kept: ${sqlFault(error.message)}`,
      fix`correct the file, then ${command("migrate apply")}`,
      { cause: error },
    );
  if (error.code === "LegacyDbConnectError") return unreachable(database, error, firstLine(error.message));
  return new UserError(
    "failed",
    database.display,
    `the Supabase CLI failed: ${firstLine(error.message)}`,
    fix`${command("migrate plan")}`,
    { cause: error },
  );
}

/** PostgreSQL's error and the statement that caused it, without the CLI's general advice. */
function sqlFault(message: string): string {
  const fault = firstLine(message).replace(/^ERROR: /, "");
  const [, number, rest] = /^At statement: (\d+)\n([\s\S]*)$/m.exec(message) ?? [];
  if (number === undefined || rest === undefined) return fault;
  const statement = rest.split("\n").slice(0, 6).join("\n    ");
  return `${fault}\n  in statement ${Number(number) + 1}:\n    ${statement}`;
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}
