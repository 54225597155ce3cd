import { EXIT, UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { abort } from "../../operations/rollout/commands/abort.ts";
import { finish } from "../../operations/rollout/commands/finish.ts";
import {
  rolloutDetail,
  rolloutHistory,
  type RolloutDetail,
  type RolloutHistory,
} from "../../operations/rollout/commands/history.ts";
import { pause } from "../../operations/rollout/commands/pause.ts";
import { planCutover } from "../../operations/rollout/commands/plan.ts";
import { promote } from "../../operations/rollout/commands/promote.ts";
import { resume } from "../../operations/rollout/commands/resume.ts";
import { rolloutStatus } from "../../operations/rollout/commands/status.ts";
import { watchRollout, type WatchResult } from "../../operations/rollout/commands/watch.ts";
import { parseSeconds } from "../../operations/rollout/model/plan.ts";
import { resultOf, type CliEvent, type Verb } from "../events.ts";
import { planExit, rolloutExit, statusExit, watchExit } from "../exit-codes.ts";
import { requestOf, type CutoverOptions } from "./cutover.ts";

/** What `rollout` can do. */
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
  /** For `resume`: only if no process leads it, and a pause stays. */
  readonly lead?: boolean;
  /** For `history`, `resume` and `abort`: one of them. */
  readonly rollout?: string | undefined;
}

/** `rollout <action>`. */
export function rolloutVerb(context: RolloutContext, action: RolloutAction, options: RolloutOptions): Verb {
  switch (action) {
    case "plan":
      return resultOf("rollout plan", planCutover(context, requestOf(options)), planExit);
    case "status":
      return options.watch === true
        ? resultOf("rollout status --watch", watching(context, options.every), watchExit)
        : resultOf("rollout status", rolloutStatus(context), statusExit);
    case "history": {
      const { last, rollout } = options;
      const read: Promise<RolloutHistory | RolloutDetail> =
        rollout === undefined ? rolloutHistory(context, parseCount(last)) : rolloutDetail(context, rollout);
      return resultOf("rollout history", read, () => EXIT.ok);
    }
    case "resume":
      return resultOf("rollout resume", resume(context, options), rolloutExit);
    case "abort":
      return resultOf("rollout abort", abort(context, options), rolloutExit);
    case "pause":
      return resultOf("rollout pause", pause(context, options), rolloutExit);
    case "promote":
      return resultOf("rollout promote", promote(context, options), rolloutExit);
    case "finish": {
      const { drain, ...rest } = options;
      const seconds = drain === undefined ? {} : { drainSeconds: parseSeconds(drain, "--drain") };
      return resultOf("rollout finish", finish(context, { ...rest, ...seconds }), rolloutExit);
    }
  }
}

async function* watching(
  context: RolloutContext,
  every: string | undefined,
): AsyncGenerator<CliEvent, WatchResult, void> {
  const events = watchRollout(context, every === undefined ? {} : { everySeconds: parseEvery(every) });
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
    yield next.value.type === "view" ? { ...next.value, verb: "rollout status --watch" } : next.value;
  }
}

function parseEvery(text: string): number {
  const seconds = parseSeconds(text, "--every");
  if (seconds >= 0.2) return seconds;
  throw new UserError(
    "invalid-argument",
    "--every",
    `"${text}" is too often`,
    fix`${command("rollout status --watch --every 1s")} (200ms or more)`,
  );
}

function parseCount(text = "10"): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new UserError(
    "invalid-argument",
    "--last",
    `"${text}" is not a number of rollouts`,
    fix`${command("rollout history --last 10")}`,
  );
}
