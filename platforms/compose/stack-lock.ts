import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { NoteEvent } from "../../contract/events.ts";
import { type Holder } from "../../operations/rollout/ports/lease.ts";
import { atRest } from "../../operations/rollout/model/machine.ts";
import { rolloutDirectory } from "../../operations/rollout/local/context.ts";
import { FileJournalStore } from "../../operations/rollout/local/file-journal.ts";
import { FileLeaseStore } from "../../operations/rollout/local/file-lease.ts";
import { stateLabel } from "../../operations/rollout/model/labels.ts";

/** A local stack as far as the one who changes it has to know it. */
export interface Place {
  readonly stack: string;
  /** Absolute path of the stack's own folder. */
  readonly home: string;
}

/**
 * Runs what changes a local stack as a whole, and nothing else beside it: of two first `up`s each would generate its own
 * passwords, and two Compose runs would pull the same containers from under each other.
 *
 * The lease is not the rollout's: a rollback must not wait for an `up`. A rollout that nobody leads any more does not
 * keep a stack from coming up, for `./exai rollout resume` needs it running; it is named.
 *
 * @throws UserError with exit code 3 where a rollout or another change is under way
 */
export async function* alone<Event, Result>(
  place: Place,
  verb: string,
  work: () => AsyncGenerator<Event, Result, void>,
): AsyncGenerator<Event | NoteEvent, Result, void> {
  const rollout = await new FileLeaseStore(join(rolloutDirectory(place.home), "leases")).holder();
  if (rollout !== undefined) throw busy(place, rollout, "./exai rollout status   # then again, when it has ended");
  mkdirSync(place.home, { recursive: true, mode: 0o700 });
  const changes = changesOf(place.home);
  const holder = await changes.holder();
  if (holder !== undefined) throw busy(place, holder, "wait until it ends, or end that process, then run this again");
  const lease = await changes.acquire(verb);
  try {
    yield* unfinished(place);
    return yield* work();
  } finally {
    await lease.release();
  }
}

/** @throws UserError with exit code 3 where an `up` or a `down` is changing the stack */
export async function notBeingChanged(place: Place): Promise<void> {
  const holder = await changesOf(place.home).holder();
  if (holder !== undefined) throw busy(place, holder, "wait until it ends, then run this again");
}

function changesOf(home: string): FileLeaseStore {
  return new FileLeaseStore(join(home, "changes"));
}

function busy({ stack }: Place, { who, verb, pid }: Holder, fix: string): UserError {
  return new UserError("state-conflict", `stack ${stack}`, `${who} is changing it: \`${verb}\`, process ${pid}`, fix);
}

/** Names a rollout that was left in the middle. A journal that cannot be read is its own verbs' failure, not this one's. */
async function* unfinished({ home }: Place): AsyncGenerator<NoteEvent, void, void> {
  let message: string;
  try {
    const journal = await new FileJournalStore(rolloutDirectory(home)).read();
    if (journal === undefined || atRest(journal.machine)) return;
    message = `a rollout was left in "${stateLabel(journal.machine)}": when the stack is up, ./exai rollout resume goes on with it and ./exai rollout abort takes it back`;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    message = error.render();
  }
  yield { type: "note", level: "warning", message };
}
