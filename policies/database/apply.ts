import type { SourcePosition } from "../../contract/graph.ts";
import type { Postgres } from "./postgres.ts";
import type { Statement } from "./facts.ts";
import { plainText, splitStatements } from "../../contract/sql/statements.ts";

/** A SQL file of the project. */
export interface SqlFile {
  /** Relative to the project's root. */
  readonly file: string;
  readonly text: string;
}

/** What applying the migrations left behind, besides the database. */
export interface Applied {
  readonly statements: readonly Statement[];
  /** The statement behind a transaction, by the low 32 bits of its identifier: what a row's `xmin` says. */
  readonly transactions: ReadonlyMap<string, SourcePosition>;
}

/** A migration that PostgreSQL refused. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
  readonly source: SourcePosition;
  constructor(source: SourcePosition, message: string) {
    super(`${source.file}:${source.line}: ${message}`);
    this.source = source;
  }
}

/** Statements that PostgreSQL refuses inside a transaction, and those that end one. */
const ALONE =
  /^(create|drop|reindex)\s+(unique\s+)?(index|table|database|tablespace).*\bconcurrently\b|^(vacuum|create\s+database|drop\s+database|alter\s+system|reindex\s+database)\b/is;
const TRANSACTION = /^(begin|start\s+transaction|commit|end|rollback|abort)\b/i;
const MAY_REMOVE = /\b(drop|truncate|delete|alter\s+column|rename)\b/i;

/** What stands in the project's schemas. */
const COLUMNS = `select n.nspname || '.' || c.relname as table, a.attname as column, a.atttypid::regtype::text as type
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'`;

/**
 * Applies files in order, each statement in a transaction of its own, so that every row of the catalog tells by its
 * `xmin` which statement wrote it. `before` runs first and is nobody's doing.
 *
 * @throws MigrationError where PostgreSQL refuses a statement
 */
export async function apply(
  postgres: Postgres,
  before: SqlFile | undefined,
  migrations: readonly SqlFile[],
): Promise<Applied> {
  if (before !== undefined) await runWhole(postgres, before);
  const statements: Statement[] = [];
  const transactions = new Map<string, SourcePosition>();
  for (const migration of migrations) {
    // What one file makes it may also lock and drop: nobody uses it yet.
    const earlier = await columnsOf(postgres);
    const earlierTables = new Set([...earlier.keys()].map((key) => key.slice(0, key.indexOf("\0"))));
    for (const { line, text } of splitStatements(migration.text)) {
      const source = { file: migration.file, line };
      const plain = plainText(text);
      if (TRANSACTION.test(plain)) continue;
      let lockTimeout = false;
      const locks: string[] = [];
      try {
        if (ALONE.test(plain)) {
          await postgres.run(text);
        } else {
          const [row] = await postgres.run(
            "begin; select (pg_current_xact_id()::text::numeric % 4294967296)::text as id, current_setting('lock_timeout') <> '0' as limited",
          );
          lockTimeout = row?.limited === true;
          await postgres.run(text);
          const held = await postgres.run(
            `select distinct n.nspname || '.' || c.relname as table, l.mode from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
             where l.pid = pg_backend_pid() and c.relkind in ('r', 'p') and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`,
          );
          await postgres.run("commit");
          transactions.set(String(row?.id), source);
          locks.push(
            ...held
              .map((lock) => `${String(lock.table)} ${String(lock.mode)}`)
              .filter((lock) => earlierTables.has(lock.split(" ")[0] ?? "")),
          );
        }
      } catch (error) {
        throw new MigrationError(source, error instanceof Error ? error.message : String(error));
      }
      const removed = MAY_REMOVE.test(plain) ? await removedBy(postgres, earlier, plain) : [];
      statements.push({ source, text: plain, lockTimeout, locks, removed });
    }
    // Settings of one file are not the next one's: a migration tool may take a new connection for each.
    await postgres.run("reset all");
  }
  return { statements, transactions };
}

async function runWhole(postgres: Postgres, file: SqlFile): Promise<void> {
  try {
    await postgres.run(file.text);
  } catch (error) {
    throw new MigrationError({ file: file.file, line: 1 }, error instanceof Error ? error.message : String(error));
  }
}

/** Columns and their types, by `table NUL column`. */
async function columnsOf(postgres: Postgres): Promise<Map<string, string>> {
  const rows = await postgres.run(COLUMNS);
  return new Map(rows.map((row) => [`${String(row.table)}\0${String(row.column)}`, String(row.type)]));
}

/** What a statement took away; forgets it, so that it is said once. */
async function removedBy(postgres: Postgres, earlier: Map<string, string>, plain: string): Promise<string[]> {
  const now = await columnsOf(postgres);
  const tables = new Set([...now.keys()].map((key) => key.slice(0, key.indexOf("\0"))));
  const removed = new Set<string>();
  for (const [key, type] of earlier) {
    const [table = "", column = ""] = key.split("\0");
    const current = now.get(key);
    if (current === type) continue;
    removed.add(
      !tables.has(table)
        ? `table ${table}`
        : current === undefined
          ? `column ${table}.${column}`
          : `type ${type} of column ${table}.${column}`,
    );
    if (current === undefined) earlier.delete(key);
    else earlier.set(key, current);
  }
  const emptied = /^(?:truncate(?:\s+table)?|delete\s+from)\s+(?:only\s+)?([\w."]+)\s*(.*)$/is.exec(plain);
  if (emptied !== null && (/^truncate/i.test(plain) || !/\bwhere\b/i.test(emptied[2] ?? ""))) {
    const name = (emptied[1] ?? "").replaceAll('"', "");
    const qualified = name.includes(".") ? name : `public.${name}`;
    if ([...earlier.keys()].some((key) => key.startsWith(`${qualified}\0`))) removed.add(`every row of ${qualified}`);
  }
  return [...removed];
}
