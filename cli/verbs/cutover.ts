import { writeFileSync } from "node:fs";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { cutover, type CutoverRequest } from "../../operations/rollout/commands/cutover.ts";
import { parseSeconds, parseSteps } from "../../operations/rollout/model/plan.ts";
import { resultOf, type Verb } from "../events.ts";
import { rolloutExit } from "../exit-codes.ts";

/** `cutover`, as typed. */
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

/** `cutover`. @throws UserError that names a wrong option */
export async function* cutoverVerb(context: RolloutContext, options: CutoverOptions): Verb {
  const { image } = options;
  if (image === undefined || image.trim() === "") {
    throw new UserError(
      "invalid-argument",
      "--image",
      "is the image that a cutover deploys into the idle slot",
      fix`${command("cutover --image IMAGE")}`,
    );
  }
  const identifier = options.idFile === undefined ? {} : { onIdentifier: identifierFile(options.idFile) };
  const operation = cutover(context, { ...requestOf(options), ...identifier, image });
  return yield* resultOf("cutover", operation, rolloutExit);
}

/**
 * A file for the rollout's identifier, which is empty until the rollout has one. It is written before anything is changed:
 * a program that ends this process knows which rollout to abort, or that there is none.
 *
 * @throws UserError if the file cannot be written; the returned function throws it too
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
        "name a file in a directory that you may write",
      );
    }
  };
  write("");
  return (rollout) => {
    write(`${rollout}\n`);
  };
}

/** The request of the options. @throws UserError that names a wrong option */
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
