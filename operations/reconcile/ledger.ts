import type { Client } from "pg";
import { readLedger, type MigrationRecord } from "../migrations/apply.ts";
import { isEdited } from "../migrations/edited.ts";
import { batchesOf } from "../../contract/sql/batches.ts";
import { migrationFiles, type MigrationFile } from "../../contract/sql/files.ts";
import type { DatabaseUrl } from "../migrations/url.ts";

/** One version of the ledger, of the files, or of both. */
export interface LedgerEntry {
  readonly version: string;
  readonly name: string;
  /** What the ledger, `supabase_migrations.schema_migrations`, has of it. */
  readonly record?: MigrationRecord;
  readonly file?: MigrationFile;
  /** How ledger and file disagree; absent if they do not. */
  readonly disagreement?: Disagreement;
}

export type Disagreement =
  /** The file was changed after it was applied. */
  | "edited"
  /** The ledger has no statements: it was marked as applied by hand. */
  | "statements-missing"
  /** Only the ledger has it. */
  | "file-missing"
  /** Only the ledger has it, and not its statements. */
  | "lost"
  /** A file with an older version than the newest applied one is not in the ledger. */
  | "not-recorded";

/** Ledger and files side by side, by version, rising. */
export async function compareLedger(database: DatabaseUrl, root: string): Promise<readonly LedgerEntry[]> {
  const records = await readLedger(database);
  const files = new Map(migrationFiles(root).map((file) => [file.version, file]));
  const newest = [...records.keys()].sort().at(-1) ?? "";
  return [...new Set([...records.keys(), ...files.keys()])].sort().map((version) => {
    const [record, file] = [records.get(version), files.get(version)];
    const disagreement = disagreementOf(record, file?.sql, version < newest);
    return {
      ...{ version, name: record?.name ?? file?.name ?? "" },
      ...(record === undefined ? {} : { record }),
      ...(file === undefined ? {} : { file }),
      ...(disagreement === undefined ? {} : { disagreement }),
    };
  });
}

function disagreementOf(
  record: MigrationRecord | undefined,
  sql: string | undefined,
  old: boolean,
): Disagreement | undefined {
  if (record === undefined) return old ? "not-recorded" : undefined;
  const recorded = record.statements !== null && record.statements.length > 0;
  if (sql === undefined) return recorded ? "file-missing" : "lost";
  // A file of comments alone has no statements to record.
  if (!recorded) return isEdited(sql, [""]) ? "statements-missing" : undefined;
  return isEdited(sql, record.statements) ? "edited" : undefined;
}

/** A migration that an empty database is to get. */
export interface Replayed {
  readonly version: string;
  readonly name: string;
  readonly statements: readonly string[];
}

/** Where a replay stopped. */
export interface ReplayFailure {
  readonly version: string;
  readonly name: string;
  /** Of the statement, from 1. */
  readonly statement: number;
  /** PostgreSQL's error. */
  readonly message: string;
}

/**
 * Runs migrations on an empty database, as the Supabase CLI and a branch of Supabase do, with the session's settings as at its
 * start.
 *
 * @param after is called after each
 */
export async function replay(
  client: Client,
  migrations: readonly Replayed[],
  after: (migration: Replayed) => Promise<void> = () => Promise.resolve(),
): Promise<ReplayFailure | undefined> {
  for (const migration of migrations) {
    const { version, name, statements } = migration;
    await client.query("reset all");
    let statement = 0;
    try {
      for (const { mode, statements: batch } of batchesOf(statements.join(";\n"))) {
        if (mode === "transaction") await client.query("begin");
        for (const { text } of batch) {
          statement += 1;
          await client.query(text);
        }
        if (mode === "transaction") await client.query("commit");
      }
    } catch (error) {
      await client.query("rollback");
      return { version, name, statement, message: error instanceof Error ? error.message : String(error) };
    }
    await client.query("reset all");
    await after(migration);
  }
  return undefined;
}
