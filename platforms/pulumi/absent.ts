import type { Operation } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import { nameOf } from "./changes.ts";
import type { Engine, StateResource } from "./engine.ts";

/** Which resources of the state do not exist any more. Changes nothing. */
export type FindAbsent = (resources: readonly StateResource[]) => Promise<readonly StateResource[]>;

/**
 * Removes from the state what was deleted by another program, so that the next `up` creates it again: the engine compares the
 * program with its state alone. Only absent resources are read again. A refresh of all would take as drift what a rollout has
 * changed intentionally.
 */
export async function* forgetAbsent(engine: Engine, find: FindAbsent, signal: AbortSignal): Operation<void> {
  const absent = yield* timed("absent", "look for what was deleted by hand", async () =>
    find(await engine.resources()),
  );
  if (absent.length === 0) return;
  const names = absent
    .map(({ urn }) => nameOf(urn))
    .sort()
    .join(", ");
  yield { type: "note", level: "warning", message: `deleted by another program, and made again: ${names}` };
  yield* engine.refresh({ signal, target: absent.map(({ urn }) => urn) });
}
