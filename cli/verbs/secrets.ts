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
