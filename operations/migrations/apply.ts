import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { migrationFiles } from "./files.ts";
import { supabase, SupabaseError } from "./supabase.ts";
import { databaseUrl, type DatabaseUrl } from "./url.ts";

export interface MigrationOptions {
  /** Root of the project whose supabase/migrations are meant. @default the checkout */
  readonly root?: string;
  readonly signal?: AbortSignal | undefined;
}

/** One migration, as the files and as the database know it. */
export interface MigrationState {
  readonly version: string;
  /** Undefined where only the database knows it. */
  readonly name: string | undefined;
  readonly applied: boolean;
}

/**
 * The migrations of the files and of the database, by version.
 *
 * @throws UserError where the database cannot be read
 */
export async function migrationStatus(url: string, options: MigrationOptions = {}): Promise<readonly MigrationState[]> {
  const files = migrationFiles(options.root ?? PROJECT_ROOT);
  const applied = await appliedVersions(databaseUrl(url));
  const names = new Map(files.map((file) => [file.version, file.name]));
  return [...new Set([...names.keys(), ...applied])]
    .sort()
    .map((version) => ({ version, name: names.get(version), applied: applied.has(version) }));
}

/**
 * Applies what the database has not yet with the Supabase CLI, each migration in a transaction of its own, and returns
 * how many there were. Where there is none, the CLI is not even started.
 *
 * @throws UserError naming the migration and PostgreSQL's words, where the database is out of reach, or where it has
 *   migrations that the files do not have
 */
export async function* applyMigrations(
  url: string,
  options: MigrationOptions = {},
): AsyncGenerator<ExaiEvent, number, void> {
  const root = options.root ?? PROJECT_ROOT;
  const database = databaseUrl(url);
  const status = await migrationStatus(url, options);
  refuseUnknown(status, database);
  const pending = status.filter((migration) => !migration.applied);
  const step = { type: "step", id: "migrate", title: "migrations" } as const;
  if (pending.length === 0) {
    yield { ...step, status: "unchanged", detail: `nothing to apply, ${status.length} are in place` };
    return 0;
  }
  const started = performance.now();
  yield { ...step, status: "started", detail: `${pending.length} to apply` };

  const queue: string[] = [];
  let wake = (): void => undefined;
  const run = { ended: false };
  let current: string | undefined;
  const push = supabase(["db", "push", "--yes", "--include-all"], database, {
    root,
    signal: options.signal,
    onLine: (line) => {
      const file = /^Applying migration (\S+?)\.\.\.$/.exec(line)?.[1];
      if (file === undefined) return;
      current = file;
      queue.push(file);
      wake();
    },
  }).finally(() => {
    run.ended = true;
    wake();
  });
  // Awaited below; a failure before that must not count as unhandled.
  push.catch(() => undefined);
  for (;;) {
    for (let file = queue.shift(); file !== undefined; file = queue.shift())
      yield { ...step, status: "progress", detail: file };
    if (run.ended) break;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  const seconds = () => (performance.now() - started) / 1000;
  try {
    await push;
  } catch (error) {
    yield { ...step, status: "failed", seconds: seconds() };
    throw explain(error, database, current);
  }
  const left = (await migrationStatus(url, options)).filter((migration) => !migration.applied);
  if (left.length > 0)
    throw new UserError(
      database.display,
      `the Supabase CLI reported success, and the database still lacks ${left.map(label).join(", ")}`,
      "./exai migrate plan",
    );
  yield { ...step, status: "done", detail: `${pending.length} applied`, seconds: seconds() };
  return pending.length;
}

/** A migration as messages name it. */
export function label(migration: Pick<MigrationState, "version" | "name">): string {
  return migration.name === undefined ? migration.version : `${migration.version}_${migration.name}`;
}

function refuseUnknown(status: readonly MigrationState[], database: DatabaseUrl): void {
  const unknown = status.filter((migration) => migration.name === undefined);
  if (unknown.length === 0) return;
  throw new UserError(
    database.display,
    `has migrations that supabase/migrations does not have: ${unknown.map(label).join(", ")}`,
    "git pull, or check out the branch that they come from",
  );
}

/** Versions in the history table of the Supabase CLI; none where it has never run. */
async function appliedVersions(database: DatabaseUrl): Promise<ReadonlySet<string>> {
  const client = new pg.Client({
    connectionString: database.full,
    connectionTimeoutMillis: 10_000,
    application_name: "exai migrate",
  });
  try {
    await client.connect();
    const { rows } = await client.query<{ there: boolean }>(
      "select to_regclass('supabase_migrations.schema_migrations') is not null as there",
    );
    if (rows[0]?.there !== true) return new Set();
    const history = await client.query<{ version: string }>(
      "select version from supabase_migrations.schema_migrations order by version",
    );
    return new Set(history.rows.map((row) => row.version));
  } catch (cause) {
    throw unreachable(database, cause instanceof Error ? cause.message || cause.name : String(cause), cause);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function unreachable(database: DatabaseUrl, reason: string, cause: unknown): UserError {
  const problem = `cannot be read: ${reason}`;
  return new UserError(database.display, problem, "./exai up, then check the database's URL", undefined, { cause });
}

function explain(error: unknown, database: DatabaseUrl, current: string | undefined): unknown {
  if (!(error instanceof SupabaseError)) return error;
  if (error.code === "LegacyDbPushApplyError" && current !== undefined)
    return new UserError(
      `supabase/migrations/${current}`,
      `was refused by the database, and nothing of it was kept: ${sqlFault(error.message)}`,
      "correct the file, then ./exai migrate apply",
      undefined,
      { cause: error },
    );
  if (error.code === "LegacyDbConnectError") return unreachable(database, firstLine(error.message), error);
  return new UserError(
    database.display,
    `the Supabase CLI says: ${firstLine(error.message)}`,
    "./exai migrate plan",
    undefined,
    {
      cause: error,
    },
  );
}

/** PostgreSQL's error and the statement that met it, without the CLI's general advice. */
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
