import { isRefusal } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { isUnwritable } from "../host/durable-files.ts";
import type { StateRun } from "./state-run.ts";

/** Milliseconds between the attempts. */
const DELAYS_MS: readonly number[] = [250, 500, 1000, 2000, 4000, ...Array<number>(9).fill(5000)];

/**
 * No attempt begins later than this after the first one, milliseconds: longer than the restart of an API server, or than a
 * dead node is still reported ready. A longer outage needs a person, and a release must not run without gates for long. An
 * attempt itself may be slow: a router has a separate deadline for a table.
 */
const LONGEST_MS = 60_000;

/** For a request of another process, which takes over from a leader that does not answer in time. */
export const BRIEF_DELAYS_MS: readonly number[] = [100, 400, 1000];

/**
 * Retries an action between two states if the router, the journal or the connection to them fails. Ending the operation
 * there would leave the users on their slots without gates.
 *
 * @throws the last error; at once a refusal, a full disk, the loss of the lease, Ctrl-C, and if the state was left
 */
export async function* retryTransient<Result>(
  run: StateRun,
  act: () => Promise<Result>,
  delays = DELAYS_MS,
): Operation<Result> {
  const { signal } = run;
  const started = performance.now();
  for (const milliseconds of delays) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || isRefusal(error) || isUnwritable(error)) throw error;
      if (performance.now() - started + milliseconds > LONGEST_MS) throw error;
      const detail = error instanceof Error ? error.message : String(error);
      yield { type: "note", level: "warning", message: `${detail}; trying again` };
    }
    await run.sleep(milliseconds);
  }
  return act();
}

/** Runs an operation to its result and drops its events. */
export async function resultOf<Result>(operation: Operation<Result>): Promise<Result> {
  for (;;) {
    const { done, value } = await operation.next();
    if (done === true) return value;
  }
}
