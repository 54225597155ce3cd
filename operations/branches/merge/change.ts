import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../../contract/errors.ts";
import type { Operation, ProgressEvent } from "../../../contract/events.ts";
import { fix } from "../../../contract/fix.ts";
import { migrationLabel, supabaseDirectory } from "../../../contract/sql/files.ts";
import { timed } from "../../../contract/timed.ts";
import { PROJECT_ROOT } from "../../images/paths.ts";
import { migrationStatus } from "../../migrations/apply.ts";
import { nextVersion } from "../../reconcile/plan.ts";
import { applyPending, type ApplyPendingOptions } from "../../schema/apply.ts";
import { compareFacts } from "../../schema-facts/compare.ts";
import { readFacts, schemaFacts, type SchemaFacts } from "../../schema-facts/read.ts";
import type { SchemaStep } from "../../schema-facts/steps.ts";
import { stackOf, type Branches } from "../lifecycle.ts";
import { stackCommand } from "../model.ts";
import { madeMigrations, type MadeMigration } from "./migration.ts";
import { readParked } from "./parked.ts";
import { planChange, type ParkedValues } from "./planned.ts";
import { changedMeanwhile, proveMerge, type FailedProof } from "./prove.ts";
import { mergeSchemas, type MergeConflict, type Resolutions } from "./three-way.ts";

export interface ChangeOptions extends Pick<ApplyPendingOptions, "guard" | "locks"> {
  /** Which side wins where both changed an object. */
  readonly resolutions?: Resolutions;
  /** Asks before main is changed. Absent: does not ask. @throws if declined */
  readonly confirm?: ((planned: SchemaChange) => Promise<void>) | undefined;
  /** Shows and proves the change, and makes none. @default false */
  readonly dryRun?: boolean;
  /** Allows steps that remove data which cannot be parked. @default false */
  readonly allowDestructive?: boolean;
  /** Root of the project that holds supabase/migrations. @default the checkout */
  readonly root?: string;
  readonly signal?: AbortSignal;
}

/**
 * How a change of main ended:
 * - `applied`: main has it.
 * - `planned`: a dry run; it is proved.
 * - `nothing`: main has it already.
 * - `conflicts`: both sides changed the same, and no resolution was given.
 * - `destructive`: steps remove data that cannot be parked, which was not allowed.
 * - `not-proved`: on a copy of main the migration failed, or gave another schema than expected.
 */
export type ChangeOutcome = "applied" | "planned" | "nothing" | "conflicts" | "destructive" | "not-proved";

/** A change of main's schema, as `branch merge` and `branch revert` make it. */
export interface SchemaChange extends Pick<Branches, "stack"> {
  readonly name: string;
  readonly outcome: ChangeOutcome;
  readonly conflicts: readonly MergeConflict[];
  readonly steps: readonly SchemaStep[];
  /** The migrations, relative to the project; empty if none was made. */
  readonly files: readonly string[];
  /** Values that the steps take away and keep. */
  readonly parked: readonly ParkedValues[];
  /** Values that were taken away earlier and are put back. */
  readonly putBack: readonly ParkedValues[];
  readonly proof?: FailedProof;
  readonly seconds: number;
}

/** The schemas that are merged into main, in addition to its own. */
export interface MergedSchemas {
  /** The schema that both sides come from. */
  readonly base: SchemaFacts;
  /** The other side. */
  readonly theirs: SchemaFacts;
}

/** What is merged into main. */
export interface ChangeSource {
  readonly read: () => Promise<MergedSchemas>;
  /** Name of the migration, and the line that it begins with. */
  readonly migration: string;
  readonly title: string;
}

/** A change with its schemas, and main's before and after it. */
export interface MadeChange extends MergedSchemas {
  readonly change: SchemaChange;
  readonly before: SchemaFacts;
  readonly after: SchemaFacts;
}

/**
 * Merges a schema into main's: three-way over facts, proved on a copy of main, then applied as migrations that are kept in
 * supabase/migrations.
 */
export async function* changeMain(
  branches: Branches,
  name: string,
  { read, migration, title }: ChangeSource,
  options: ChangeOptions,
): Operation<MadeChange> {
  const started = performance.now();
  const { main: url } = branches;
  const { dryRun = false, allowDestructive = false, resolutions = new Map() } = options;
  const [{ base, theirs }, before, parked, known] = yield* timed("facts", "read the schemas", () =>
    Promise.all([read(), readFacts(url), readParked(url), migrationStatus(url, options)]),
  );
  const { merged: all, conflicts, unused } = await mergeSchemas(base, before, theirs, resolutions);
  if (unused.length > 0)
    throw new UserError(
      "invalid-argument",
      "--take or --resolutions",
      `no conflict is about ${unused.join(", ")}`,
      fix`${stackCommand(branches, `${migration.startsWith("revert") ? "branch revert" : "branch merge"} ${name} --dry-run`)} lists the conflicts`,
    );
  const after = await schemaFacts(all, before.serverVersion);
  const version = nextVersion(new Date(), known.at(-1)?.version ?? "", undefined);
  const plan =
    conflicts.length > 0 ? { steps: [], parked: [], putBack: [] } : await planChange(before, after, parked, version);
  const made = (outcome: ChangeOutcome, more: Partial<SchemaChange> = {}): MadeChange => {
    const seconds = (performance.now() - started) / 1000;
    return {
      change: { name, ...stackOf(branches), outcome, conflicts, ...plan, files: [], seconds, ...more },
      ...{ base, theirs, before, after },
    };
  };
  if (conflicts.length > 0) return made("conflicts");
  if (plan.steps.length === 0) return made("nothing");
  const migrations = await madeMigrations(migration, title, plan.steps, version);
  const statements = migrations.map(({ sql }) => sql);
  try {
    const proof = yield* proveMerge(branches, statements, { main: before, merged: after, theirs });
    if (proof !== undefined) return made("not-proved", { proof });
    if (dryRun) return made("planned");
    if (!allowDestructive && plan.steps.some(({ destructive }) => destructive)) return made("destructive");
    if (options.confirm !== undefined) {
      await options.confirm(made("planned").change);
      // A question may be open for long.
      const changed = await compareFacts(before, await readFacts(url));
      if (changed.length > 0) throw changedMeanwhile(branches, changed.map(({ object }) => object).join(", "));
    }
    yield* keep(url, migrations, options);
    return made("applied", { files: migrations.map(({ file }) => join("supabase/migrations", file)) });
  } finally {
    // The copy that it was tried on was the spare. The next one is made after the merge, which it would slow down.
    await branches.host.prepareSpare();
  }
}

/** Writes the migrations and applies them; files of those that PostgreSQL refuses go. */
async function* keep(
  url: string,
  migrations: readonly MadeMigration[],
  options: ChangeOptions,
): AsyncGenerator<ProgressEvent, void, void> {
  const { guard, locks, root, signal } = options;
  const pathOf = (file: string) => join(supabaseDirectory(root ?? PROJECT_ROOT), "migrations", file);
  for (const { file, sql } of migrations) writeFileSync(pathOf(file), sql, { flag: "wx" });
  let applied = false;
  try {
    const where = { ...(root === undefined ? {} : { root }), ...(signal === undefined ? {} : { signal }) };
    yield* applyPending(url, { ...where, guard, locks, contract: "refuse" });
    applied = true;
  } finally {
    // Interrupted, it may have been applied: then the file must stay.
    if (!applied)
      for (const { file } of migrations)
        if (!(await isApplied(url, file, options))) rmSync(pathOf(file), { force: true });
  }
}

async function isApplied(url: string, file: string, options: ChangeOptions): Promise<boolean> {
  try {
    return (await migrationStatus(url, options)).some(({ version, applied }) => applied && file.startsWith(version));
  } catch {
    return true; // not known
  }
}

/** @throws UserError `state-conflict`, since a migration of a merge would be older than what is applied after it */
export async function refusePending(branches: Branches, options: ChangeOptions): Promise<void> {
  const pending = (await migrationStatus(branches.main, options)).filter(({ applied }) => !applied);
  if (pending.length === 0) return;
  throw new UserError(
    "state-conflict",
    "main",
    `has pending migrations: ${pending.map(migrationLabel).join(", ")}`,
    fix`${stackCommand(branches, "migrate apply")}, then merge`,
  );
}
