import { isRefusal } from "../../contract/errors.ts";
import type { ExaiEvent } from "../../contract/events.ts";
import { isUnwritable } from "./fence.ts";
import type { RolloutSession } from "./session.ts";

/**
 * Milliseconds between the tries: about 40 s in all, longer than an API server takes to come back or a node that died keeps
 * looking ready. What lasts longer needs a person, and a release may not stay unwatched behind a process that only waits.
 */
const WAITS_MS: readonly number[] = [250, 500, 1000, 2000, 4000, ...Array<number>(6).fill(5000)];

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
): AsyncGenerator<ExaiEvent, Result, void> {
  const { signal } = session;
  for (const milliseconds of waits) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || isRefusal(error) || isUnwritable(error)) throw error;
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
