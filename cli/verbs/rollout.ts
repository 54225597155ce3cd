import { UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "../../operations/rollout/context.ts";
import { history, status } from "../../operations/rollout/report.ts";
import { abort, resume } from "../../operations/rollout/resume.ts";

/** What `./exai rollout` can do. */
export const ROLLOUT_ACTIONS = ["status", "history", "resume", "abort"] as const;

export interface RolloutOptions {
  /** For `abort`. */
  readonly reason?: string;
  /** For `history`: how many rollouts. */
  readonly last?: string;
}

/** `./exai rollout <action>`. */
export async function* rolloutVerb(context: RolloutContext, action: string, options: RolloutOptions): Verb {
  switch (action) {
    case "status":
      return yield* status(context);
    case "history":
      return yield* history(context, options.last === undefined ? {} : { rollouts: parseCount(options.last) });
    case "resume":
      return yield* resume(context);
    case "abort":
      return yield* abort(context, options.reason === undefined ? {} : { reason: options.reason });
    default:
      throw new UserError("rollout", `there is no action "${action}"`, `./exai rollout ${ROLLOUT_ACTIONS.join("|")}`);
  }
}

function parseCount(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new UserError("--last", `"${text}" is no number of rollouts`, "./exai rollout history --last 10");
}
