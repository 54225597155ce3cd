import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../../contract/errors.ts";
import type { Operation, ProgressEvent } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import { migrationLabel, supabaseDirectory } from "../../../contract/sql/files.ts";
import { timed } from "../../../contract/timed.ts";
import { PROJECT_ROOT } from "../../images/paths.ts";
import { migrationStatus } from "../../migrations/apply.ts";
import { applyPending, type ApplyPendingOptions } from "../../schema/apply.ts";
import { managedFacts, readFacts, type SchemaFacts } from "../../schema-facts/read.ts";
import { planSteps, type SchemaStep } from "../../schema-facts/steps.ts";
import { changing, type Branches } from "../lifecycle.ts";
import { madeMigration, type MadeMigration } from "./migration.ts";
import { proveMerge, type FailedProof } from "./prove.ts";
import { mergeSchemas, type MergeConflict, type Resolutions } from "./three-way.ts";

export interface MergeOptions extends Pick<ApplyPendingOptions, "guard" | "locks"> {
  /** Which side wins where both changed an object. */
  readonly resolutions?: Resolutions;
  /** Shows and proves the merge, and changes nothing. @default false */
  readonly dryRun?: boolean;
  /** Allows steps that remove data. @default false */
  readonly allowDestructive?: boolean;
  /** Root of the project that holds supabase/migrations. @default the checkout */
  readonly root?: string;
  readonly signal?: AbortSignal;
}

/**
 * How a merge ended:
 * - `merged`: main has the changes.
 * - `planned`: a dry run; it is proved.
 * - `nothing`: the branch has no change that main lacks.
 * - `conflicts`: both sides changed the same, and no resolution was given.
 * - `destructive`: steps remove data, which was not allowed.
 * - `not-proved`: on a copy of main the migration failed, or gave another schema than expected.
 */
export type MergeOutcome = "merged" | "planned" | "nothing" | "conflicts" | "destructive" | "not-proved";

export interface BranchMerge {
  readonly name: string;
  readonly outcome: MergeOutcome;
  readonly conflicts: readonly MergeConflict[];
  readonly steps: readonly SchemaStep[];
  /** The migration, relative to the project; absent if none was made. */
  readonly file?: string;
  readonly proof?: FailedProof;
  readonly seconds: number;
}

/**
 * Merges the schema of a branch into main: three-way over facts, proved on a copy of main, then applied as a migration that is
 * kept in supabase/migrations. The rows of the branch are not merged.
 *
 * @throws UserError `state-conflict` if migrations are pending on main, or only in the branch
 */
export async function* mergeBranch(
  branches: Branches,
  name: string,
  options: MergeOptions = {},
): Operation<BranchMerge> {
  return yield* changing(branches, "branch merge", async function* () {
    const { store, host, main: url } = branches;
    const started = performance.now();
    const { dryRun = false, allowDestructive = false, resolutions = new Map() } = options;
    store.get(name);
    const branchUrl = await host.url(name);
    await refuseUnmerged(name, url, branchUrl, options);
    const [base, main, theirs] = yield* timed("facts", "read the schemas", () =>
      Promise.all([store.base(name), readFacts(url), readFacts(branchUrl)]),
    );
    const { merged: all, conflicts, unused } = await mergeSchemas(base, main, theirs, resolutions);
    if (unused.length > 0)
      throw new UserError(
        "invalid-argument",
        "--take",
        `no conflict is about ${unused.join(", ")}`,
        fix`${command(`branch merge ${name} --dry-run`)} lists the conflicts`,
      );
    const merged: SchemaFacts = { ...main, all, managed: await managedFacts(all) };
    const steps = conflicts.length > 0 ? [] : await planSteps(main, merged);
    const result = (outcome: MergeOutcome, more: Partial<BranchMerge> = {}): BranchMerge => ({
      ...{ name, outcome, conflicts, steps, seconds: (performance.now() - started) / 1000 },
      ...more,
    });
    if (conflicts.length > 0) return result("conflicts");
    if (steps.length === 0) return result("nothing");
    const migration = await madeMigration(`merge_${name}`, `Merge of branch ${name}`, steps, new Date());
    const proof = yield* timed(
      "proof",
      "try it on a copy of main, in both orders",
      () => proveMerge(host, migration.sql, { main, merged, theirs }),
      (failed) => (failed === undefined ? {} : { status: "failed" }),
    );
    if (proof !== undefined) return result("not-proved", { proof });
    if (dryRun) return result("planned");
    if (!allowDestructive && steps.some(({ destructive }) => destructive)) return result("destructive");
    yield* keep(url, migration, options);
    // What is merged is no longer a change of the branch.
    await store.putBase(name, theirs);
    return result("merged", { file: join("supabase/migrations", migration.file) });
  });
}

/** Writes the migration and applies it; the file goes if PostgreSQL refuses it. */
async function* keep(
  url: string,
  { file, sql }: MadeMigration,
  options: MergeOptions,
): AsyncGenerator<ProgressEvent, void, void> {
  const { guard, locks, root, signal } = options;
  const path = join(supabaseDirectory(root ?? PROJECT_ROOT), "migrations", file);
  writeFileSync(path, sql, { flag: "wx" });
  let applied = false;
  try {
    const where = { ...(root === undefined ? {} : { root }), ...(signal === undefined ? {} : { signal }) };
    yield* applyPending(url, { ...where, guard, locks, contract: "refuse" });
    applied = true;
  } finally {
    // Interrupted, it may have been applied: then the file must stay.
    if (!applied && !(await isApplied(url, file, options))) rmSync(path, { force: true });
  }
}

async function isApplied(url: string, file: string, options: MergeOptions): Promise<boolean> {
  try {
    return (await migrationStatus(url, options)).some(({ version, applied }) => applied && file.startsWith(version));
  } catch {
    return true; // not known
  }
}

/** @throws UserError if the merge would take a migration's place */
async function refuseUnmerged(name: string, main: string, branch: string, options: MergeOptions): Promise<void> {
  const [ours, theirs] = await Promise.all([migrationStatus(main, options), migrationStatus(branch, options)]);
  const pending = ours.filter(({ applied }) => !applied);
  if (pending.length > 0)
    throw new UserError(
      "state-conflict",
      "main",
      `has pending migrations: ${pending.map(migrationLabel).join(", ")}`,
      fix`${command("migrate apply")}, then merge`,
    );
  const known = new Set(ours.map(({ version }) => version));
  const unknown = theirs.filter(({ version, applied }) => applied && !known.has(version));
  if (unknown.length > 0)
    throw new UserError(
      "state-conflict",
      `branch ${name}`,
      `has migrations that main and supabase/migrations lack: ${unknown.map(migrationLabel).join(", ")}`,
      fix`add their files, then ${command("migrate apply")}`,
    );
}
