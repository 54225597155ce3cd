import { rolloutExit } from "../exit-codes.ts";
import { resultOf, type Verb } from "../events.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { rollback, type RollbackRequest } from "../../operations/rollout/commands/rollback.ts";

/** `rollback`, as typed. */
export type RollbackOptions = RollbackRequest;

/** `rollback`. */
export function rollbackVerb(context: RolloutContext, options: RollbackOptions): Verb {
  return resultOf("rollback", rollback(context, options), rolloutExit);
}
