import { rolloutExit } from "../../../cli/exit-codes.ts";
import { resultOf, type Verb } from "../../../cli/events.ts";
import * as abortCommand from "../../../operations/rollout/commands/abort.ts";
import * as cutoverCommand from "../../../operations/rollout/commands/cutover.ts";
import * as finishCommand from "../../../operations/rollout/commands/finish.ts";
import * as pauseCommand from "../../../operations/rollout/commands/pause.ts";
import * as promoteCommand from "../../../operations/rollout/commands/promote.ts";
import * as resumeCommand from "../../../operations/rollout/commands/resume.ts";
import * as rollbackCommand from "../../../operations/rollout/commands/rollback.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";

// The operations on a rollout as verbs of the CLI: the result is the last event, and the exit code is returned.

export function cutover(context: RolloutContext, request: cutoverCommand.CutoverRequest): Verb {
  return resultOf("cutover", cutoverCommand.cutover(context, request), rolloutExit);
}

export function rollback(context: RolloutContext, request: rollbackCommand.RollbackRequest): Verb {
  return resultOf("rollback", rollbackCommand.rollback(context, request), rolloutExit);
}

export function resume(context: RolloutContext, request: resumeCommand.ResumeRequest = {}): Verb {
  return resultOf("rollout resume", resumeCommand.resume(context, request), rolloutExit);
}

export function abort(context: RolloutContext, request: abortCommand.AbortRequest): Verb {
  return resultOf("rollout abort", abortCommand.abort(context, request), rolloutExit);
}

export function pause(context: RolloutContext, request: Parameters<typeof pauseCommand.pause>[1]): Verb {
  return resultOf("rollout pause", pauseCommand.pause(context, request), rolloutExit);
}

export function promote(context: RolloutContext, request: Parameters<typeof promoteCommand.promote>[1]): Verb {
  return resultOf("rollout promote", promoteCommand.promote(context, request), rolloutExit);
}

export function finish(context: RolloutContext, request: finishCommand.FinishRequest): Verb {
  return resultOf("rollout finish", finishCommand.finish(context, request), rolloutExit);
}
