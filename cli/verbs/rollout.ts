import { UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { history } from "../../operations/rollout/commands/history.ts";
import { outlook } from "../../operations/rollout/commands/plan.ts";
import { parseSeconds } from "../../operations/rollout/model/plan.ts";
import { status } from "../../operations/rollout/commands/status.ts";
import { abort, resume } from "../../operations/rollout/commands/resume.ts";
import { finish, pause, promote } from "../../operations/rollout/commands/pause.ts";
import { watch } from "../../operations/rollout/commands/watch.ts";
import { requestOf, type CutoverOptions } from "./cutover.ts";

/** What `./exai rollout` can do. */
export type RolloutAction = "plan" | "status" | "history" | "pause" | "resume" | "promote" | "abort" | "finish";

/** The options of all actions; the image, the times and so on are those of `plan`. */
export interface RolloutOptions extends CutoverOptions {
  /** For `status`: live, until the rollout ends. */
  readonly watch?: boolean;
  /** For `status --watch`: `1s`, `500ms`, … */
  readonly every?: string;
  /** For `promote`. */
  readonly full?: boolean;
  /** For `abort`. */
  readonly keepSessions?: boolean;
  /** For `history`: how many rollouts. */
  readonly last?: string;
  /** For `resume`: only where nobody leads it, and a pause stays. */
  readonly lead?: boolean;
  /** For `history`, `resume` and `abort`: one of them. */
  readonly rollout?: string | undefined;
}

/** `./exai rollout <action>`. */
export async function* rolloutVerb(context: RolloutContext, action: RolloutAction, options: RolloutOptions): Verb {
  switch (action) {
    case "plan":
      return yield* outlook(context, requestOf(options));
    case "status":
      if (options.watch !== true) return yield* status(context);
      return yield* watch(context, options.every === undefined ? {} : { everySeconds: parseEvery(options.every) });
    case "history": {
      const { last, rollout } = options;
      const wanted = rollout === undefined ? {} : { rollout };
      return yield* history(context, last === undefined ? wanted : { ...wanted, last: parseCount(last) });
    }
    case "resume":
      return yield* resume(context, options);
    case "abort":
      return yield* abort(context, options);
    case "pause":
      return yield* pause(context, options);
    case "promote":
      return yield* promote(context, options);
    case "finish": {
      const { drain, ...rest } = options;
      const seconds = drain === undefined ? {} : { drainSeconds: parseSeconds(drain, "--drain") };
      return yield* finish(context, { ...rest, ...seconds });
    }
  }
}

function parseEvery(text: string): number {
  const seconds = parseSeconds(text, "--every");
  if (seconds >= 0.2) return seconds;
  throw new UserError(
    "invalid-argument",
    "--every",
    `"${text}" is too often`,
    "./exai rollout status --watch --every 1s   # 200ms or more",
  );
}

function parseCount(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new UserError(
    "invalid-argument",
    "--last",
    `"${text}" is no number of rollouts`,
    "./exai rollout history --last 10",
  );
}
