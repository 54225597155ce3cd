import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { rollback, type RollbackRequest } from "../../operations/rollout/commands/rollback.ts";

/** `./exai rollback`, as typed. */
export type RollbackOptions = RollbackRequest;

/** `./exai rollback`: exit codes 0 done, 2 failed, 3 nothing to take back or somebody else at work. */
export async function* rollbackVerb(context: RolloutContext, options: RollbackOptions): Verb {
  return yield* rollback(context, options);
}
