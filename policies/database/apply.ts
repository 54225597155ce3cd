import type { SourcePosition } from "../../contract/graph.ts";
import type { Postgres } from "./postgres.ts";
import type { Statement } from "./facts.ts";
import { parseStatements, SqlSyntaxError } from "../../contract/sql/statements.ts";

/** A SQL file of the project. */
export interface SqlFile {
  /** Relative to the project's root. */
  readonly file: string;
  readonly text: string;
}

/** What is known about applied migrations, in addition to the database. */
export interface Applied {
  readonly statements: readonly Statement[];
  /** The statement of each transaction, by the low 32 bits of its identifier, which are the `xmin` of a row. */
  readonly transactions: ReadonlyMap<string, SourcePosition>;
}

/** PostgreSQL rejected a migration. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
  readonly source: SourcePosition;
  constructor(source: SourcePosition, message: string) {
    super(`${source.file}:${source.line}: ${message}`);
    this.source = source;
  }
}

/** Statements that PostgreSQL rejects inside a transaction. */
const OUTSIDE_TRANSACTION =
  /^(create|drop|reindex)\s+(unique\s+)?(index|table|database|tablespace).*\bconcurrently\b|^(vacuum|create\s+database|drop\s+database|alter\s+system|reindex\s+database)\b/is;
const MAY_REMOVE = /\b(drop|truncate|delete|alter\s+column|rename)\b/i;

/** The columns of the project's tables. */
const COLUMNS = `select n.nspname || '.' || c.relname as table, a.attname as column, a.atttypid::regtype::text as type
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'`;

/**
 * Applies files in order, each statement in a separate transaction, so that the `xmin` of a row of the catalog identifies
 * the statement that wrote it.
 *
 * @throws MigrationError if PostgreSQL rejects a statement
 */
export async function apply(postgres: Postgres, migrations: readonly SqlFile[]): Promise<Applied> {
  const statements: Statement[] = [];
  const transactions = new Map<string, SourcePosition>();
  for (const migration of migrations) {
    // A file may lock and drop what it creates: no release uses it yet.
    const earlier = await columnsOf(postgres);
    const earlierTables = new Set([...earlier.keys()].map((key) => key.slice(0, key.indexOf("\0"))));
    for (const { line, text, plain, node } of await statementsOf(migration)) {
      const source = { file: migration.file, line };
      if ("TransactionStmt" in node) continue;
      let lockTimeout = false;
      const locks: string[] = [];
      try {
        if (OUTSIDE_TRANSACTION.test(plain)) {
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
    // A migration tool may use a new connection for each file, so settings do not carry over.
    await postgres.run("reset all");
  }
  return { statements, transactions };
}

async function statementsOf({ file, text }: SqlFile) {
  try {
    return await parseStatements(text);
  } catch (error) {
    if (error instanceof SqlSyntaxError) throw new MigrationError({ file, line: error.line }, error.message);
    throw error;
  }
}

/** Columns and their types, by `table NUL column`. */
async function columnsOf(postgres: Postgres): Promise<Map<string, string>> {
  const rows = await postgres.run(COLUMNS);
  return new Map(rows.map((row) => [`${String(row.table)}\0${String(row.column)}`, String(row.type)]));
}

/** What a statement removed; `earlier` is updated, so that each object is reported once. */
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
  const deleted = /^(?:truncate(?:\s+table)?|delete\s+from)\s+(?:only\s+)?([\w."]+)\s*(.*)$/is.exec(plain);
  if (deleted !== null && (/^truncate/i.test(plain) || !/\bwhere\b/i.test(deleted[2] ?? ""))) {
    const name = (deleted[1] ?? "").replaceAll('"', "");
    const qualified = name.includes(".") ? name : `public.${name}`;
    if ([...earlier.keys()].some((key) => key.startsWith(`${qualified}\0`))) removed.add(`every row of ${qualified}`);
  }
  return [...removed];
}
