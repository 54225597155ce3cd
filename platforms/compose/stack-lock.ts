import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { NoteEvent, ProgressEvent } from "../../contract/events.ts";
import { command, fix, type Fix } from "../../contract/fix.ts";
import { claimHome } from "../../contract/machine/stack-home.ts";
import { UnfinishedRestore } from "../../operations/restore/unfinished.ts";
import { rolloutDirectory } from "../../operations/rollout/local/context.ts";
import { doubt } from "../../operations/rollout/controller/outcome.ts";
import { FileJournalStore } from "../../operations/rollout/local/file-journal.ts";
import { FileLeaseStore } from "../../operations/rollout/local/file-lease.ts";
import { stateLabel } from "../../operations/rollout/model/labels.ts";
import { atRest } from "../../operations/rollout/model/machine.ts";
import type { Holder } from "../../operations/rollout/ports/lease.ts";

/** A local stack and its folder. */
export interface Place {
  readonly stack: string;
  readonly instance: string;
  /** Absolute path of the stack's own folder. */
  readonly home: string;
}

/**
 * Runs work that changes a local stack as a whole, under a lock: two concurrent first `up`s would each generate passwords, and
 * two runs of Compose would replace the same containers.
 *
 * The lock is not the rollout's lease, so a rollback never waits for an `up`. An unfinished rollout without a controller does
 * not block the work, because resuming it needs a running stack; a note names it.
 *
 * @throws UserError with exit code 3 if a rollout or another change is under way, or the database is being restored in place
 */
export async function* withStackLock<Event, Result>(
  place: Place,
  verb: string,
  work: () => AsyncGenerator<Event, Result, void>,
): AsyncGenerator<Event | ProgressEvent, Result, void> {
  const rollouts = new FileLeaseStore(join(rolloutDirectory(place.home), "leases"));
  const rollout = await rollouts.holder();
  yield* doubt(rollout);
  if (rollout?.doubtful === true) await (await rollouts.acquire(verb)).release();
  else if (rollout !== undefined)
    throw busy(place, rollout, fix`wait until it ends: ${command("rollout status --watch")}`);
  claimHome(place.home, place.instance);
  const changes = changesOf(place.home);
  const holder = await changes.holder();
  yield* doubt(holder);
  if (holder !== undefined && holder.doubtful !== true)
    throw busy(place, holder, fix`wait until it ends, or end process ${holder.pid}; then run this command again`);
  const lease = await changes.acquire(verb);
  try {
    if (verb !== "down" && !verb.startsWith("restore ")) unfinishedRestore(place.home).refuse();
    yield* unfinished(place);
    return yield* work();
  } finally {
    await lease.release();
  }
}

/** @throws UserError with exit code 3 if an `up` or a `down` is changing the stack, or a restore in place is unfinished */
export async function notBeingChanged(place: Place): Promise<void> {
  const changes = changesOf(place.home);
  const holder = await changes.holder();
  if (holder?.doubtful === true) await (await changes.acquire("check")).release();
  else if (holder !== undefined) throw busy(place, holder, fix`wait until it ends, then run this command again`);
  unfinishedRestore(place.home).refuse();
}

/** How far a restore in place is that a killed process left. */
export function unfinishedRestore(home: string): UnfinishedRestore {
  return new UnfinishedRestore(join(home, "restore.json"));
}

function changesOf(home: string): FileLeaseStore {
  return new FileLeaseStore(join(home, "changes"));
}

function busy({ stack }: Place, { who, verb, pid }: Holder, remedy: Fix): UserError {
  return new UserError("lock-held", `stack ${stack}`, `${who} is changing it: \`${verb}\`, process ${pid}`, remedy);
}

/** Names an unfinished rollout. A journal that cannot be read is a warning here, and an error of the rollout's commands. */
async function* unfinished({ home }: Place): AsyncGenerator<NoteEvent, void, void> {
  try {
    const journal = await new FileJournalStore(rolloutDirectory(home)).read();
    if (journal === undefined || atRest(journal.machine)) return;
    yield {
      type: "note",
      level: "warning",
      message: `a rollout is unfinished in state "${stateLabel(journal.machine)}"`,
      fix: fix`when the stack is up, continue it with ${command("rollout resume")} or roll it back with ${command("rollout abort")}`,
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    yield { type: "note", level: "warning", message: `${error.where}: ${error.message}`, fix: error.fix };
  }
}
