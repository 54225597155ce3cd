import { EXIT, UserError, type ExitCode } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { parseSeconds, parseSteps } from "../../operations/rollout/model/plan.ts";
import {
  abortRotation,
  rotateJwt,
  type RotateRequest,
  type RotationContext,
  type RotationResult,
} from "../../operations/secrets/rotate.ts";
import { rotationStatus } from "../../operations/secrets/status.ts";
import { resultOf, type Verb } from "../events.ts";
import { rolloutExit } from "../exit-codes.ts";
import { openStack } from "../../platforms/stack.ts";
import { audited } from "../audited.ts";
import { onStack, withReason, type Register, type SetFlags } from "./command.ts";

/** secrets: keys that are rotated while the stack runs. */
export const registerSecrets: Register = (program, run) => {
  const secrets = program.command("secrets").description("rotate keys while the stack runs");
  const rotate = secrets
    .command("rotate")
    .description("replace a key, slot by slot; a second run continues an unfinished rotation")
    .argument("<what>", "jwt: the key that signs tokens");
  withReason(onStack(rotate))
    .option("--abort", "return to the previous key", false)
    .option("--wait", "wait until the tokens of the old key have expired", false)
    .option("--lifetime <time>", "longest life of a token, for example 1h (default: exai:jwtLifetimeMinutes)")
    .option("--steps <percentages>", "weights of each cutover, ending in 100")
    .option("--hold <time>", "least time of each step of a cutover")
    .option("--bake <time>", "time for which the gates watch a slot after the last step")
    .option("--drain <time>", "time after which open connections of a slot are closed before it is deployed")
    .addHelpText(
      "after",
      `
Both slots accept both keys before the new key signs, and until all tokens of the old key have expired. Each slot gets its
keys by a cutover to its present image, so no container is changed while it has users.

Exit codes: 0 done or waiting, 1 a cutover was rolled back, 2 failed, 3 refused.

Example:
  ./exai secrets rotate jwt --steps 50,100 --wait`,
    )
    .action(async (what: string, stack: string, flags: SetFlags & SecretsRotateOptions) => {
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const context = opened.rotation(signal, { deploys: true });
        const work = secretsRotate(context, what, opened.settings.jwtLifetimeMinutes, flags);
        const subject = flags.abort === true ? `${what} --abort` : what;
        return audited(opened.audit, { verb: "secrets rotate", subject, reason: flags.reason }, work, signal);
      });
    });

  onStack(secrets.command("status").description("show the progress of a rotation")).action(
    async (stack: string, flags: SetFlags) => {
      await run((signal) => secretsStatus(openStack(stack, flags.set).rotation(signal, { deploys: false })));
    },
  );
};

/** `secrets rotate`, as typed. */
export interface SecretsRotateOptions {
  readonly abort?: boolean;
  readonly wait?: boolean;
  readonly reason?: string;
  /** Life of a token, e.g. `1h`. @default the setting's */
  readonly lifetime?: string;
  /** For each cutover, as `cutover` takes them. */
  readonly steps?: string;
  readonly hold?: string;
  readonly bake?: string;
  readonly drain?: string;
}

/** What can be rotated. */
const ROTATABLE = ["jwt"] as const;

/** `secrets rotate <what>`. Exit codes: 0 done or waiting, 1 a cutover was rolled back, 2 failed, 3 refused. */
export function secretsRotate(
  context: RotationContext,
  what: string,
  lifetimeMinutes: number,
  options: SecretsRotateOptions,
): Verb {
  if (!ROTATABLE.some((known) => known === what))
    throw new UserError(
      "invalid-argument",
      "secrets",
      `"${what}" cannot be rotated`,
      fix`${command(`secrets rotate ${ROTATABLE.join("|")}`)}`,
    );
  const { steps, hold, bake, drain, lifetime, reason } = options;
  const request: RotateRequest = {
    lifetimeSeconds: lifetime === undefined ? lifetimeMinutes * 60 : parseSeconds(lifetime, "--lifetime"),
    wait: options.wait === true,
    ...(reason === undefined ? {} : { reason }),
    cutover: {
      ...(steps === undefined ? {} : { steps: parseSteps(steps) }),
      ...(hold === undefined ? {} : { holdSeconds: parseSeconds(hold, "--hold") }),
      ...(bake === undefined ? {} : { bakeSeconds: parseSeconds(bake, "--bake") }),
      ...(drain === undefined ? {} : { drainSeconds: parseSeconds(drain, "--drain") }),
    },
  };
  const operation = options.abort === true ? abortRotation(context, request) : rotateJwt(context, request);
  return resultOf("secrets rotate", operation, rotationExit);
}

function rotationExit(result: RotationResult): ExitCode {
  return result.outcome === "cutover-failed" ? rolloutExit(result.cutover) : EXIT.ok;
}

/** `secrets status`. */
export function secretsStatus(context: Pick<RotationContext, "store" | "rollout">): Verb {
  return resultOf("secrets status", rotationStatus(context), () => EXIT.ok);
}
