import { isRefusal } from "../../../contract/errors.ts";
import type { ProgressEvent } from "../../../contract/events.ts";
import type { RolloutSession } from "./store.ts";
import { isUnwritable } from "../host/durable-files.ts";

/** Milliseconds between the tries. */
const WAITS_MS: readonly number[] = [250, 500, 1000, 2000, 4000, ...Array<number>(9).fill(5000)];

/**
 * No try begins later than this after the first one, milliseconds: longer than an API server takes to come back or a node
 * that died keeps looking ready. What lasts longer needs a person, and a release may not stay unwatched behind a process that
 * only waits. A try may take long itself: a router has its own deadline for a table.
 */
const LONGEST_MS = 60_000;

/** The same for a request from elsewhere, whose sender takes over from a leader that does not answer in time. */
export const BRIEF_WAITS_MS: readonly number[] = [100, 400, 1000];

/**
 * Does what leads from one state to the next, and again where the router, the journal or the way to them fails: an end in
 * between would leave the users where they are, with nobody who watches the gates.
 *
 * @throws the last error; at once a refusal, a full disk, the loss of the lease, Ctrl-C, and where the state was left
 * meanwhile.
 */
export async function* insisting<Result>(
  session: RolloutSession,
  act: () => Promise<Result>,
  waits = WAITS_MS,
): AsyncGenerator<ProgressEvent, Result, void> {
  const { signal } = session;
  const started = performance.now();
  for (const milliseconds of waits) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || isRefusal(error) || isUnwritable(error)) throw error;
      if (performance.now() - started + milliseconds > LONGEST_MS) throw error;
      const detail = error instanceof Error ? error.message : String(error);
      yield { type: "note", level: "warning", message: `${detail}; trying again` };
    }
    await session.sleep(milliseconds);
  }
  return act();
}

/** What a generator returns, for whoever has nobody to tell its events to. */
export async function resultOf<Result>(run: AsyncGenerator<unknown, Result, void>): Promise<Result> {
  for (;;) {
    const { done, value } = await run.next();
    if (done === true) return value;
  }
}
