import { UserError } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { fix } from "../../../contract/fix.ts";
import { changing, type Branches } from "../lifecycle.ts";
import { stackCommand } from "../model.ts";
import { changeMain, refusePending, type ChangeOptions, type SchemaChange } from "./change.ts";

/**
 * Takes the last merge of a branch out of main's schema again, and keeps what main got since. It is a merge as well: of the schema before
 * the merge into main, with the schema after it as the base. Values that it takes away are parked, and put back by a later merge.
 *
 * @throws UserError `not-found` without a merge, `state-conflict` if it is reverted already
 */
export async function* revertBranch(
  branches: Branches,
  name: string,
  options: ChangeOptions = {},
): Operation<SchemaChange> {
  return yield* changing(branches, "branch revert", async function* () {
    const { store } = branches;
    const record = await store.merge(name);
    if (record.revertedBy !== undefined)
      throw new UserError(
        "state-conflict",
        `branch ${name}`,
        `its merge is reverted already, by ${record.revertedBy.join(", ")}`,
        fix`${stackCommand(branches, `branch merge ${name}`)} merges it again`,
      );
    await refusePending(branches, options);
    const merge = await store.mergeFacts(name);
    const source = {
      read: () => Promise.resolve({ base: merge.after, theirs: merge.before }),
      migration: `revert_${name}`,
      title: `Revert of the merge of branch ${name}`,
    };
    const { change } = yield* changeMain(branches, name, source, options);
    // A revert that was killed may have been applied.
    if (change.outcome === "applied" || change.outcome === "nothing") {
      // The branch's changes are changes again, unless it was made again meanwhile.
      if ((await store.find(name))?.createdAt === record.createdAt) await store.putBase(name, merge.base);
      await store.putMergeRecord({ ...record, revertedBy: change.files });
    }
    return change;
  });
}
