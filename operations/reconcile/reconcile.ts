import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { Operation, StepEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { PROJECT_ROOT } from "../images/paths.ts";
import { readLedger, type MigrationRecord } from "../migrations/apply.ts";
import { withClient } from "../migrations/client.ts";
import { migrationLabel, supabaseDirectory } from "../../contract/sql/files.ts";
import { supabase } from "../migrations/supabase.ts";
import { databaseUrl, type DatabaseUrl } from "../migrations/url.ts";
import type { SchemaDifference } from "../schema-facts/compare.ts";
import { dumpDatabase } from "./dump.ts";
import { compareLedger, replay, type LedgerEntry, type Replayed, type ReplayFailure } from "./ledger.ts";
import { compareReadings, identical, readSchema, type OracleVerdict, type SchemaReading } from "./oracles.ts";
import { migrationText, nextVersion, planReconciliation, repairOf, takesEffect, type LedgerRepair } from "./plan.ts";
import { matchPlatform, type Scratch } from "./scratch.ts";
import { scratchOf, type ReconcileOptions } from "./verify.ts";

export interface ReconcileRunOptions extends ReconcileOptions {
  /** Writes a migration that removes objects or data where it is applied later. */
  readonly allowDestructive: boolean;
  /** Changes nothing, and returns what would be done. */
  readonly dryRun: boolean;
  /** The file of the dump, which must not exist. */
  readonly dump: string;
}

export interface ReconcileResult {
  readonly outcome:
    /** Ledger, files and database agreed before. */
    | "agreed"
    /** What would be done; nothing was. */
    | "planned"
    /** The migration would remove something, and that was not allowed; nothing was done. */
    | "destructive"
    /** Done and proved. */
    | "reconciled";
  readonly drift: readonly SchemaDifference[];
  readonly repairs: readonly LedgerRepair[];
  /** What the migration removes where it is applied later. */
  readonly destructive: readonly string[];
  /** The migration; absent if the schemas agreed. */
  readonly migration?: { readonly version: string; readonly name: string; readonly sql: string };
  /** The dump that was made first. */
  readonly dump?: { readonly path: string; readonly bytes: number };
  /** What a replay of the ledger on an empty server gives, against the database, by each oracle. */
  readonly proof?: readonly OracleVerdict[];
}

type Planned = Pick<ReconcileResult, "drift" | "repairs" | "destructive" | "migration">;

/**
 * Adopts a database that was changed past its migrations: makes ledger and files agree, writes one migration with all that only
 * the database has, marks it as applied, and proves that a replay of the ledger on an empty server is the database. The database's
 * own objects and rows are only read.
 *
 * @throws UserError if the ledger cannot be replayed, or the proof fails: ledger and files are as before then
 */
export async function* reconcile(url: string, options: ReconcileRunOptions): Operation<ReconcileResult> {
  const { root = PROJECT_ROOT, signal, scratch = scratchOf } = options;
  const database = databaseUrl(url);
  const entries = await compareLedger(database, root);

  yield step("compare", "ledger and database", "started");
  const live = await readSchema(url, signal);
  const planned = await onScratch(scratch, signal, (server) => planOn(server, database, entries, live, signal));
  const { drift, repairs, destructive, migration } = planned;
  yield step("compare", "ledger and database", "done", `${drift.length} differences, ${repairs.length} repairs`);
  if (migration === undefined && repairs.length === 0) return { outcome: "agreed", ...planned };
  if (destructive.length > 0 && !options.allowDestructive) return { outcome: "destructive", ...planned };
  if (options.dryRun) return { outcome: "planned", ...planned };

  yield step("dump", "dump", "started", options.dump);
  const dump = { path: options.dump, bytes: await dumpDatabase(database, options.dump, signal) };
  yield step("dump", "dump", "done", `${options.dump}, ${dump.bytes} bytes`);

  yield step("mark", "ledger and files", "started");
  const records = await readLedger(database);
  const written: string[] = [];
  try {
    for (const { path, text } of filesOf(root, entries, planned)) {
      await writeFile(path, text, { flag: "wx" });
      written.push(path);
    }
    await repairLedger(database, root, planned, signal);
    yield step("mark", "ledger and files", "done", migration === undefined ? "" : migrationLabel(migration));

    yield step("prove", "replay of the ledger", "started");
    const proof = await onScratch(scratch, signal, (server) => prove(server, database, url, signal));
    if (!identical(proof)) throw unproved(proof);
    yield step("prove", "replay of the ledger", "done", `identical by ${proof.map(({ oracle }) => oracle).join(", ")}`);
    return { outcome: "reconciled", ...planned, dump, proof };
  } catch (error) {
    for (const path of written) await rm(path, { force: true });
    await restoreLedger(database, records).catch((cause: unknown) => {
      throw unrestored(database, options.dump, error, cause);
    });
    yield step("mark", "ledger and files", "failed", "as before");
    throw error;
  }
}

function step(id: string, title: string, status: StepEvent["status"], detail?: string): StepEvent {
  return { type: "step", id, title, status, detail };
}

/** Runs work on a scratch server, which ends after it. */
async function onScratch<Result>(
  open: (signal: AbortSignal | undefined) => Promise<Scratch>,
  signal: AbortSignal | undefined,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const scratch = await open(signal);
  try {
    return await work(scratch.url);
  } finally {
    await scratch.end();
  }
}

/** Replays what the ledger will have, decides which other files the database has, and plans the rest. */
async function planOn(
  scratchUrl: string,
  database: DatabaseUrl,
  entries: readonly LedgerEntry[],
  live: SchemaReading,
  signal: AbortSignal | undefined,
): Promise<Planned> {
  const repairs = entries.flatMap((entry) => repairOf(entry) ?? []);
  const left: string[] = [];
  let applied = "";
  await withClient(databaseUrl(scratchUrl), async (client) => {
    await withClient(database, (target) => matchPlatform(client, target));
    for (const entry of entries) {
      signal?.throwIfAborted();
      const { version, name, record, file } = entry;
      const sql = file?.sql ?? "";
      const repair = repairs.find((each) => each.version === version);
      if (repair?.action === "forget") continue;
      if (record === undefined) {
        if (await takesEffect(client, sql, live.catalogue)) repairs.push({ version, name, action: "mark-applied" });
        else {
          left.push(version);
          continue;
        }
      } else {
        const statements = repair?.action === "record-file" ? [sql] : (record.statements ?? []);
        const failure = await replay(client, [{ version, name, statements }]);
        if (failure !== undefined) throw cannotReplay(failure);
      }
      applied = version;
    }
  });
  const replayed = await readSchema(scratchUrl, signal);
  const plan = await planReconciliation(replayed, live);
  const { drift, destructive, sql, contract } = plan;
  if (sql === "") {
    const verdicts = await compareReadings(replayed, live);
    if (!identical(verdicts)) throw unproved(verdicts);
    return { drift, destructive, repairs };
  }
  const version = nextVersion(
    new Date(),
    applied,
    left.find((each) => each > applied),
  );
  const name = contract ? "contract_reconcile" : "reconcile";
  const migration = { version, name, sql: migrationText(sql, database.display) };
  await tryOn(scratchUrl, migration, live, signal);
  return { drift, destructive, repairs, migration };
}

/** Applies the migration twice to the replay, before anything of the user's is changed. */
async function tryOn(
  scratchUrl: string,
  { version, name, sql }: { readonly version: string; readonly name: string; readonly sql: string },
  live: SchemaReading,
  signal: AbortSignal | undefined,
): Promise<void> {
  const migration: Replayed = { version, name, statements: [sql] };
  for (let times = 1; times <= 2; times += 1) {
    const failure = await withClient(databaseUrl(scratchUrl), (client) => replay(client, [migration]));
    if (failure !== undefined)
      throw new UserError(
        "failed",
        migrationLabel(failure),
        `the migration that was planned is refused by PostgreSQL: ${failure.message}`,
        fix`${command("migrate reconcile --dry-run")}, which prints it`,
      );
    const verdicts = await compareReadings(await readSchema(scratchUrl, signal), live);
    if (!identical(verdicts)) throw unproved(verdicts);
  }
}

/** The files that are written: lost ones from the ledger, and the new migration. */
function filesOf(root: string, entries: readonly LedgerEntry[], { repairs, migration }: Planned) {
  const path = (label: string) => join(supabaseDirectory(root), "migrations", `${label}.sql`);
  const lost = entries.filter(({ version }) =>
    repairs.some((repair) => repair.action === "write-file" && repair.version === version),
  );
  return [
    ...lost.map((entry) => ({
      path: path(migrationLabel({ ...entry, name: entry.name === "" ? "recovered" : entry.name })),
      text: `${(entry.record?.statements ?? []).join(";\n\n")};\n`,
    })),
    ...(migration === undefined ? [] : [{ path: path(migrationLabel(migration)), text: migration.sql }]),
  ];
}

/** Marks with the Supabase CLI, which records the statements of each file. */
async function repairLedger(
  database: DatabaseUrl,
  root: string,
  { repairs, migration }: Planned,
  signal: AbortSignal | undefined,
): Promise<void> {
  const mark = async (status: "applied" | "reverted", versions: readonly string[]) => {
    if (versions.length === 0) return;
    await supabase(["migration", "repair", "--status", status, ...versions], database, { root, signal });
  };
  const versions = (...actions: readonly LedgerRepair["action"][]) =>
    repairs.filter(({ action }) => actions.includes(action)).map(({ version }) => version);
  await mark("reverted", versions("forget"));
  await mark("applied", [
    ...versions("record-file", "mark-applied"),
    ...(migration === undefined ? [] : [migration.version]),
  ]);
}

/** Replays the ledger as it now is on an empty server, and compares it with the database. */
async function prove(
  scratchUrl: string,
  database: DatabaseUrl,
  url: string,
  signal: AbortSignal | undefined,
): Promise<readonly OracleVerdict[]> {
  const ledger = [...(await readLedger(database)).values()];
  const failure = await withClient(databaseUrl(scratchUrl), async (client) => {
    await withClient(database, (target) => matchPlatform(client, target));
    return replay(
      client,
      ledger.map(({ version, name, statements }) => ({ version, name, statements: statements ?? [] })),
    );
  });
  if (failure !== undefined) throw cannotReplay(failure);
  const [replayed, live] = await Promise.all([readSchema(scratchUrl, signal), readSchema(url, signal)]);
  return compareReadings(replayed, live);
}

/** Restores the ledger in one transaction. */
async function restoreLedger(database: DatabaseUrl, records: ReadonlyMap<string, MigrationRecord>): Promise<void> {
  await withClient(database, async (client) => {
    const { rows } = await client.query<{ there: boolean }>(
      "select to_regclass('supabase_migrations.schema_migrations') is not null as there",
    );
    if (rows[0]?.there !== true) return;
    // Only what was changed: hosted projects have more columns.
    await client.query("begin");
    await client.query("delete from supabase_migrations.schema_migrations where version <> all ($1)", [
      [...records.keys()],
    ]);
    for (const { version, name, statements } of records.values())
      await client.query(
        `insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, nullif($2, ''), $3)
         on conflict (version) do update set name = excluded.name, statements = excluded.statements`,
        [version, name, statements],
      );
    await client.query("commit");
  });
}

function unrestored(database: DatabaseUrl, dump: string, first: unknown, cause: unknown): UserError {
  const reasons = [first, cause].map((error) => (error instanceof Error ? error.message : String(error)));
  return new UserError(
    "failed",
    database.display,
    `it failed (${reasons[0] ?? ""}), and its ledger could not be restored: ${reasons[1] ?? ""}`,
    fix`restore supabase_migrations.schema_migrations from ${dump}: pg_restore --data-only --table=schema_migrations`,
    { cause },
  );
}

function cannotReplay({ version, name, statement, message }: ReplayFailure): UserError {
  return new UserError(
    "state-conflict",
    `migration ${migrationLabel({ version, name })}`,
    `the ledger cannot be replayed on an empty database: statement ${statement}: ${message}`,
    fix`put what is missing into the file of an earlier version, then ${command("migrate reconcile")}; ${command("migrate verify")} shows which have no statements`,
  );
}

function unproved(verdicts: readonly OracleVerdict[]): UserError {
  const lines = verdicts
    .filter(({ objects, differences }) => objects === 0 || differences.length > 0)
    .map(({ oracle, differences }) => {
      const names = differences.slice(0, 5).map(({ object, change }) => `${object} (${change})`);
      return `${oracle}: ${names.join(", ")}${differences.length > 5 ? ", …" : ""}`;
    });
  return new UserError(
    "failed",
    "proof",
    `a replay of the ledger is not the database, and nothing was kept. ${lines.join("; ")}`,
    fix`migrate these objects by hand, then ${command("migrate reconcile")}`,
  );
}
