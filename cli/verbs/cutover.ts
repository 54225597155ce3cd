import { writeFileSync } from "node:fs";
import { UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { cutover, type CutoverRequest } from "../../operations/rollout/commands/cutover.ts";
import { parseSeconds, parseSteps } from "../../operations/rollout/model/plan.ts";

/** `./exai cutover`, as typed. */
export interface CutoverOptions {
  readonly image?: string;
  /** `5,25,50,100` */
  readonly steps?: string;
  /** `10s`, `2m`, … */
  readonly hold?: string;
  readonly bake?: string;
  readonly standby?: string;
  readonly drain?: string;
  /** Waits for a person before the release gets all users. */
  readonly approve?: boolean;
  readonly reason?: string;
  /** A file for the rollout's identifier. */
  readonly idFile?: string;
}

/** Checks the options and runs the cutover. Exit codes: 0 done, 1 rolled back by itself, 2 failed, 3 refused. */
export async function* cutoverVerb(context: RolloutContext, options: CutoverOptions): Verb {
  const { image } = options;
  if (image === undefined || image.trim() === "") {
    throw new UserError(
      "invalid-argument",
      "--image",
      "a cutover needs the image to put into the idle slot",
      "./exai cutover --image IMAGE",
    );
  }
  const named = options.idFile === undefined ? {} : { named: identifierFile(options.idFile) };
  return yield* cutover(context, { ...requestOf(options), ...named, image });
}

/**
 * A file that is empty until the rollout has a name, which is before anything of it is done: whoever ends this process knows
 * what to take back, and that there is nothing.
 *
 * @throws UserError, as the returned function does, where the file cannot be written
 */
function identifierFile(path: string): (rollout: string) => void {
  const write = (text: string): void => {
    try {
      writeFileSync(path, text);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UserError(
        "invalid-argument",
        `--id-file ${path}`,
        `cannot be written (${why})`,
        "name a file in a directory that is yours",
      );
    }
  };
  write("");
  return (rollout) => {
    write(`${rollout}\n`);
  };
}

/** How a cutover is to go, as typed. @throws UserError that names the option */
export function requestOf(options: CutoverOptions): Partial<CutoverRequest> {
  const { image, reason } = options;
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
    ...(options.approve === true ? { approval: true } : {}),
    ...(reason === undefined ? {} : { reason }),
  };
}
