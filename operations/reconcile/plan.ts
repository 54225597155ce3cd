import type { Client } from "pg";
import { breaches } from "../../contract/sql/migration.ts";
import { compareFacts, type SchemaDifference } from "../schema-facts/compare.ts";
import { planSteps } from "../schema-facts/steps.ts";
import { catalogueInTransaction, readCatalogue } from "./catalogue.ts";
import { idempotent } from "./idempotent.ts";
import type { LedgerEntry } from "./ledger.ts";
import { compareObjects, type SchemaReading } from "./oracles.ts";

/** What reconciliation does about one version. */
export interface LedgerRepair {
  readonly version: string;
  readonly name: string;
  readonly action:
    /** The ledger takes the text of the file. */
    | "record-file"
    /** The file is written from the ledger. */
    | "write-file"
    /** The database has its effect, and the ledger did not know: it is marked as applied. */
    | "mark-applied"
    /** The ledger loses an entry without statements and without a file. */
    | "forget";
}

/** How ledger and files are made to agree. A file that is not applied, and whose effect the database lacks, stays pending. */
export function repairOf({ version, name, disagreement }: LedgerEntry): LedgerRepair | undefined {
  switch (disagreement) {
    case "edited":
    case "statements-missing":
      return { version, name, action: "record-file" };
    case "file-missing":
      return { version, name, action: "write-file" };
    case "lost":
      return { version, name, action: "forget" };
    case "not-recorded":
    case undefined:
      return undefined;
  }
}

/**
 * Whether a database has the effect of a file that its ledger lacks: with it, a replay is closer to the database. It is tried in
 * a transaction, which stays only then.
 */
export async function takesEffect(client: Client, sql: string, live: ReadonlyMap<string, string>): Promise<boolean> {
  const before = compareObjects(await readCatalogue(client), live).length;
  try {
    await client.query(`reset all; begin; ${sql}`);
    const after = compareObjects(await catalogueInTransaction(client), live).length;
    await client.query(after < before ? "commit; reset all" : "rollback");
    return after < before;
  } catch {
    await client.query("rollback");
    return false;
  }
}

/** The migration that makes a replay of the ledger the present database. */
export interface Reconciliation {
  readonly drift: readonly SchemaDifference[];
  /** Text of the migration; empty if there is nothing to do. */
  readonly sql: string;
  /** Objects that the migration removes, and statements that lose data, wherever it is applied later. */
  readonly destructive: readonly string[];
  /** Whether an earlier release may need something that it removes. */
  readonly contract: boolean;
}

/** Kinds that hold neither data nor behaviour: to remove one destroys nothing. */
const HARMLESS: ReadonlySet<string> = new Set(["grant", "column grant", "comment", "default privilege", "default"]);

/** Plans the migration. */
export async function planReconciliation(replayed: SchemaReading, live: SchemaReading): Promise<Reconciliation> {
  const drift = await compareFacts(replayed.facts, live.facts);
  const steps = await planSteps(replayed.facts, live.facts);
  const removed = drift
    .filter(({ change, kind, partOf }) => change === "removed" && partOf === undefined && !HARMLESS.has(kind))
    .map(({ object }) => object);
  const losing = steps.filter(({ destructive }) => destructive).map(({ sql }) => sql.split("\n")[0] ?? "");
  const sql = steps.map((step) => `${idempotent(step.sql)};\n`).join("\n");
  const found = await breaches(sql);
  return { drift, sql, destructive: [...new Set([...removed, ...losing])], contract: found.length > 0 };
}

/** What the file begins with; bodies of functions may name objects that follow. */
export function migrationText(sql: string, database: string): string {
  return `-- Written by "migrate reconcile": what ${database} had and the migrations before this one did not.
-- Each statement may run again.
set lock_timeout = '5s';
set check_function_bodies = off;

${sql}
reset check_function_bodies;
`;
}

/**
 * Version of the new migration, after all that is applied and before what stays pending. The ledger orders by it.
 *
 * @param applied the newest applied version
 * @param pending the oldest that stays pending
 */
export function nextVersion(now: Date, applied: string, pending: string | undefined): string {
  const current = now.toISOString().replaceAll(/\D/g, "").slice(0, 14);
  const soonest = String(BigInt(applied === "" ? "0" : applied) + 1n).padStart(14, "0");
  const wanted = current > soonest ? current : soonest;
  return pending !== undefined && wanted >= pending ? soonest : wanted;
}
