import type { Client } from "pg";
import type { Operation } from "../../contract/events.ts";
import { batchesOf } from "../../contract/sql/batches.ts";
import { breaches, createdIn, migrationKind, type Breach } from "../../contract/sql/migration.ts";
import type { SentStatement } from "../../contract/sql/split.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { readLedger } from "../migrations/apply.ts";
import { withClient } from "../migrations/client.ts";
import { migrationFiles } from "../../contract/sql/files.ts";
import { databaseUrl } from "../migrations/url.ts";
import { copyDatabase } from "./copy.ts";
import { openScratch, type Scratch } from "./scratch.ts";

/** A lock that a statement took on a table that was there before the pending migrations. */
export interface TakenLock {
  /** Such as `public.messages`. */
  readonly table: string;
  /** Such as `AccessExclusiveLock`. */
  readonly mode: string;
  /** What waits meanwhile. */
  readonly blocks: "reads and writes" | "writes" | "schema changes";
  /** From the beginning of the statement to the end of its transaction. */
  readonly heldMs: number;
}

/** A table that PostgreSQL rewrote: all rows, to a new file. */
export interface Rewrite {
  readonly table: string;
  /** Its size before. */
  readonly bytes: number;
}

/** What one statement did on a copy with data. */
export interface StatementLint {
  /** Of the file, from 1. */
  readonly line: number;
  /** Its beginning. */
  readonly sql: string;
  readonly ms: number;
  readonly locks: readonly TakenLock[];
  readonly rewrites: readonly Rewrite[];
}

export type LintFinding =
  /** A lock that stops users was held for longer than the limit. */
  | ({ readonly reason: "held-long" } & TakenLock)
  /** A table with rows was rewritten, under a lock that stops users. */
  | ({ readonly reason: "rewrite" } & Rewrite)
  /** PostgreSQL refuses it, with the data that there is. */
  | { readonly reason: "refused"; readonly message: string }
  /** An expand migration that removes what a running release may need. */
  | { readonly reason: "breaks-releases"; readonly what: string };

/** What one pending migration did. */
export interface MigrationLint {
  readonly version: string;
  readonly name: string;
  readonly statements: readonly StatementLint[];
  readonly findings: readonly (LintFinding & { readonly line: number })[];
}

export interface LintResult {
  readonly migrations: readonly MigrationLint[];
  /** Size of the copy. */
  readonly bytes: number;
  /** The limit of `held-long`. */
  readonly limitMs: number;
}

export interface LintOptions {
  /** Root of the project that holds supabase/migrations. @default the checkout */
  readonly root?: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for which a lock may stop users. @default 500 */
  readonly limitMs?: number;
  /** Where the copy is made. @default {@link openScratch} */
  readonly scratch?: (signal: AbortSignal | undefined) => Promise<Scratch>;
}

const LIMIT_MS = 500;

/**
 * Runs the pending migrations on a copy of the database with its data, and says which locks each statement really took, how
 * long they were held, and which tables were rewritten. The database itself is only read.
 *
 * @throws UserError if the database cannot be read, or no scratch server can be started
 */
export async function* lintMigrations(url: string, options: LintOptions = {}): Operation<LintResult> {
  const { root = PROJECT_ROOT, signal, limitMs = LIMIT_MS, scratch: open = onDisk } = options;
  const database = databaseUrl(url);
  const applied = await readLedger(database);
  const pending = migrationFiles(root).filter(({ version }) => !applied.has(version));
  const step = { type: "step", id: "lint", title: "copy with data" } as const;
  if (pending.length === 0) {
    yield { ...step, status: "unchanged", detail: "no migration is pending" };
    return { migrations: [], bytes: 0, limitMs };
  }
  yield { ...step, status: "started" };
  const scratch = await open(signal);
  try {
    const bytes = await copyDatabase(database, scratch, signal);
    yield { ...step, status: "done", detail: `${bytes} bytes` };
    const migrations: MigrationLint[] = [];
    // No user knows the tables of the migrations before.
    const known = new Set((await withClient(databaseUrl(scratch.url), tables)).keys());
    const created = new Set<string>();
    for (const file of pending) {
      signal?.throwIfAborted();
      const { sql } = file;
      const found = migrationKind(file.name) === "expand" ? await breaches(sql, created) : [];
      for (const name of await createdIn(sql)) created.add(name);
      const outcome = await withClient(databaseUrl(scratch.url), (client) =>
        lintOne(client, sql, found, { limitMs, known }),
      );
      migrations.push({ version: file.version, name: file.name, ...outcome });
      const refused = outcome.findings.some(({ reason }) => reason === "refused");
      const status = outcome.findings.length === 0 ? "done" : "failed";
      yield {
        type: "step",
        id: file.file,
        title: file.file,
        status,
        detail: `${outcome.statements.length} statements`,
      };
      // What follows may depend on it.
      if (refused) break;
    }
    return { migrations, bytes, limitMs };
  } finally {
    await scratch.end();
  }
}

/** A copy may be larger than the memory. */
const onDisk = (signal: AbortSignal | undefined): Promise<Scratch> => openScratch({ signal, disk: true });

/** Runs one migration as the Supabase CLI does, and keeps it. `known`: identifiers of the tables whose locks matter. */
async function lintOne(
  client: Client,
  sql: string,
  found: readonly Breach[],
  { limitMs, known }: { readonly limitMs: number; readonly known: ReadonlySet<string> },
): Promise<Pick<MigrationLint, "statements" | "findings">> {
  const findings: MigrationLint["findings"][number][] = found.map(({ line, what }) => ({
    ...{ reason: "breaks-releases", line, what },
  }));
  const statements: StatementLint[] = [];
  let files = await tables(client);
  for (const { mode, statements: batch } of batchesOf(sql)) {
    const ran: (Omit<StatementLint, "locks"> & { readonly began: number; readonly locks: readonly Lock[] })[] = [];
    const held = new Map<string, number>();
    if (mode === "transaction") await client.query("begin");
    for (const statement of batch) {
      const { line, text } = fromFirstWord(statement);
      const began = performance.now();
      try {
        await client.query(text);
      } catch (error) {
        await client.query("rollback");
        const message = error instanceof Error ? error.message : String(error);
        return { statements, findings: [...findings, { reason: "refused", line, message }] };
      }
      const ms = performance.now() - began;
      const all = (await locksOf(client)).filter(({ oid }) => known.has(oid));
      const before = files;
      files = await tables(client);
      const rewrites = [...before.values()].filter(({ oid, node, bytes }) => {
        const after = files.get(oid);
        return bytes > 0 && after !== undefined && after.node !== node;
      });
      ran.push({
        ...{ line, began, ms, sql: text.replaceAll(/\s+/g, " ").slice(0, 120) },
        locks: all.filter(({ oid, mode: lock }) => STRENGTH.indexOf(lock) > (held.get(oid) ?? -1)),
        rewrites: rewrites.map(({ table, bytes }) => ({ table, bytes })),
      });
      for (const { oid, mode: lock } of all) held.set(oid, STRENGTH.indexOf(lock));
    }
    if (mode === "transaction") await client.query("commit");
    const end = performance.now();
    for (const { began, locks, ...statement } of ran) {
      const taken = locks.map(({ table, mode: lock }): TakenLock => {
        return { table, mode: lock, blocks: blockedBy(lock), heldMs: end - began };
      });
      statements.push({ ...statement, locks: taken });
      const { line, rewrites } = statement;
      for (const lock of taken)
        if (lock.blocks !== "schema changes" && lock.heldMs > limitMs)
          findings.push({ reason: "held-long", line, ...lock });
      for (const rewrite of rewrites) findings.push({ reason: "rewrite", line, ...rewrite });
    }
  }
  return { statements, findings };
}

/** A statement from its first word on. */
function fromFirstWord({ text, line }: SentStatement): SentStatement {
  const [before = ""] = /^(\s|--[^\n]*(\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text) ?? [];
  return { text: text.slice(before.length), line: line + before.split("\n").length - 1 };
}

interface Lock {
  readonly oid: string;
  readonly table: string;
  readonly mode: string;
}

/** Locks that stop others, the weakest first. */
const STRENGTH: readonly string[] = [
  ...["ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"],
];

/** The strongest lock that the session's transaction holds of each table, except those of reading and writing rows. */
async function locksOf(client: Client): Promise<readonly Lock[]> {
  const { rows } = await client.query<Lock>(
    `select distinct on (c.oid) c.oid::text, format('%I.%I', n.nspname, c.relname) as table, l.mode
     from pg_locks as l join pg_class as c on c.oid = l.relation join pg_namespace as n on n.oid = c.relnamespace
     where l.pid = pg_backend_pid() and l.granted and c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_'
       and n.nspname <> 'information_schema'
       and l.mode = any ($1::text[])
     order by c.oid, array_position($1::text[], l.mode) desc`,
    [STRENGTH],
  );
  return rows;
}

interface TableFile {
  readonly oid: string;
  readonly table: string;
  /** The file that has its rows: another one after a rewrite. */
  readonly node: string;
  readonly bytes: number;
}

async function tables(client: Client): Promise<ReadonlyMap<string, TableFile>> {
  const { rows } = await client.query<TableFile & { bytes: string }>(
    `select c.oid::text, format('%I.%I', n.nspname, c.relname) as table, c.relfilenode::text as node,
       pg_relation_size(c.oid) as bytes
     from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`,
  );
  return new Map(rows.map((row) => [row.oid, { ...row, bytes: Number(row.bytes) }]));
}

/** What a lock stops. */
function blockedBy(mode: string): TakenLock["blocks"] {
  if (mode === "AccessExclusiveLock") return "reads and writes";
  return mode === "ShareUpdateExclusiveLock" ? "schema changes" : "writes";
}
