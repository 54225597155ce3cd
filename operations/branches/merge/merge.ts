import { UserError } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { fix } from "../../../contract/fix.ts";
import { migrationLabel } from "../../../contract/sql/files.ts";
import { migrationStatus } from "../../migrations/apply.ts";
import { readFacts } from "../../schema-facts/read.ts";
import { changing, recordOf, type Branches } from "../lifecycle.ts";
import { stackCommand } from "../model.ts";
import { changeMain, refusePending, type ChangeOptions, type SchemaChange } from "./change.ts";

/**
 * Merges the schema of a branch into main. The rows of the branch are not merged.
 *
 * @throws UserError `state-conflict` if migrations are pending on main, or only in the branch
 */
export async function* mergeBranch(
  branches: Branches,
  name: string,
  options: ChangeOptions = {},
): Operation<SchemaChange> {
  return yield* changing(branches, "branch merge", async function* () {
    const { store, host } = branches;
    const { createdAt } = await recordOf(branches, name);
    const url = await host.url(name);
    await Promise.all([refusePending(branches, options), refuseUnmerged(branches, name, url, options)]);
    const read = async () => {
      const [base, theirs] = await Promise.all([store.base(name), readFacts(url)]);
      return { base, theirs };
    };
    const source = { read, migration: `merge_${name}`, title: `Merge of branch ${name}` };
    const { change, base, theirs, before, after } = yield* changeMain(branches, name, source, options);
    if (change.outcome === "applied") {
      const record = { name, createdAt, mergedAt: new Date().toISOString(), files: change.files };
      await store.putMerge(record, { base, before, after });
      // What is merged is no longer a change of the branch.
      await store.putBase(name, theirs);
    }
    return change;
  });
}

/** @throws UserError if the merge would take a migration's place */
async function refuseUnmerged(branches: Branches, name: string, branch: string, options: ChangeOptions): Promise<void> {
  const [ours, theirs] = await Promise.all([migrationStatus(branches.main, options), migrationStatus(branch, options)]);
  const known = new Set(ours.map(({ version }) => version));
  const unknown = theirs.filter(({ version, applied }) => applied && !known.has(version));
  if (unknown.length > 0)
    throw new UserError(
      "state-conflict",
      `branch ${name}`,
      `has migrations that main and supabase/migrations lack: ${unknown.map(migrationLabel).join(", ")}`,
      fix`add their files, then ${stackCommand(branches, "migrate apply")}`,
    );
}
