import { UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { parseSeconds, parseSteps } from "../../operations/rollout/model/plan.ts";
import {
  abortRotation,
  rotateJwt,
  rotationStatus,
  type RotateRequest,
  type RotationContext,
} from "../../operations/secrets/rotate.ts";

/** `./exai secrets rotate`, as typed. */
export interface SecretsRotateOptions {
  readonly abort?: boolean;
  readonly wait?: boolean;
  readonly reason?: string;
  /** Life of a token, e.g. `1h`; the setting's where absent. */
  readonly lifetime?: string;
  /** For each cutover, as `./exai cutover` takes them. */
  readonly steps?: string;
  readonly hold?: string;
  readonly bake?: string;
  readonly drain?: string;
}

/** What can be rotated. */
const ROTATABLE = ["jwt"] as const;

/** `./exai secrets rotate <what>`. Exit codes: 0 done or waiting, 1 a cutover took itself back, 2 failed, 3 refused. */
export async function* secretsRotate(
  context: RotationContext,
  what: string,
  lifetimeMinutes: number,
  options: SecretsRotateOptions,
): Verb {
  if (!ROTATABLE.some((known) => known === what))
    throw new UserError(
      "not-found",
      "secrets",
      `there is no rotation of "${what}"`,
      `./exai secrets rotate ${ROTATABLE.join("|")}`,
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
  return options.abort === true ? yield* abortRotation(context, request) : yield* rotateJwt(context, request);
}

/** `./exai secrets status`. */
export async function* secretsStatus(context: Pick<RotationContext, "store" | "rollout">): Verb {
  return yield* rotationStatus(context);
}
