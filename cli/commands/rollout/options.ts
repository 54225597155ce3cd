import type { Command } from "commander";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import type { CutoverRequest } from "../../../operations/rollout/commands/cutover.ts";
import { parseSeconds, parseSteps } from "../../../operations/rollout/model/plan.ts";
import type { RolloutKind } from "../../../platforms/platform.ts";
import { openStack } from "../../../platforms/stack.ts";
import type { Verb } from "../../events.ts";
import { audited, type Change } from "../../audited.ts";
import { withReason, type Run, type SetFlags } from "../command.ts";

/** The options of every verb on a rollout. */
export interface RolloutFlags extends SetFlags {
  readonly stack: string;
}

/** The options of a cutover, as typed. */
export interface CutoverOptions {
  readonly image?: string;
  /** `5,25,50,100` */
  readonly steps?: string;
  /** `10s`, `2m`, … */
  readonly hold?: string;
  readonly bake?: string;
  readonly standby?: string;
  readonly drain?: string;
  /** Waits for approval before the release gets all users. */
  readonly approve?: boolean;
  /** Also the image that the users have. */
  readonly again?: boolean;
  /** Runs no hooks. */
  readonly skipHooks?: boolean;
  readonly reason?: string;
}

/** Adds the options of a cutover, which is done or planned. */
export function withCutover(command: Command): Command {
  return withReason(
    command
      .option("--steps <percentages>", "weights of the new release, ending in 100", "5,25,50,100")
      .option("--hold <time>", "least time of each step, for example 10s or 2m")
      .option("--bake <time>", "time for which the gates watch the release after the last step")
      .option("--standby <time>", "time for which the old release stays warm")
      .option("--drain <time>", "time after which open connections of the idle slot are closed before it is deployed")
      .option("--again", "deploy the image once more that the users already have")
      .option("--skip-hooks", "run none of the hooks of exai:rolloutHooks")
      .option("--approve", "wait for ./exai rollout promote before the release gets all users"),
  );
}

/** What is done on a rollout, with its options already checked. */
export type RolloutWork = (context: RolloutContext) => Verb;

/**
 * Runs a verb on the rollouts of a stack.
 *
 * @param change what the audit log records; absent if it changes nothing
 * @param prepare checks the options, before the stack is opened. @throws UserError that names a wrong option
 */
export async function runOnRollout(
  run: Run,
  { stack, set }: RolloutFlags,
  prepare: () => RolloutWork,
  kind: RolloutKind = {},
  change?: Change,
): Promise<void> {
  await run((signal) => {
    const work = prepare();
    const opened = openStack(stack, set);
    const verb = opened.rollout(kind, signal, work);
    return change === undefined ? verb : audited(opened.audit, change, verb, signal);
  });
}

/** The request of the options. @throws UserError that names a wrong option */
export function requestOf(options: CutoverOptions): Partial<CutoverRequest> {
  const { image, reason } = options;
  if (image !== undefined && !/^[a-z0-9][\w.:/@-]*$/.test(image)) {
    const problem =
      image.trim() === ""
        ? "is the image that a cutover deploys into the idle slot"
        : `"${image}" is not an image reference`;
    throw new UserError("invalid-argument", "--image", problem, fix`${command("cutover --image IMAGE")}`);
  }
  const seconds = (name: "hold" | "bake" | "standby" | "drain") => {
    const text = options[name];
    return text === undefined ? {} : { [`${name}Seconds`]: parseSeconds(text, `--${name}`) };
  };
  return {
    ...(image === undefined ? {} : { image }),
    ...(options.steps === undefined ? {} : { steps: parseSteps(options.steps) }),
    ...seconds("hold"),
    ...seconds("bake"),
    ...seconds("standby"),
    ...seconds("drain"),
    again: options.again === true,
    ...(options.skipHooks === true ? { skipHooks: true } : {}),
    ...(options.approve === true ? { approval: true } : {}),
    ...(reason === undefined ? {} : { reason }),
  };
}
