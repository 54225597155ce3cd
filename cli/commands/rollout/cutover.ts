import { writeFileSync } from "node:fs";
import { UserError } from "../../../contract/errors.ts";
import { cutover } from "../../../operations/rollout/commands/cutover.ts";
import { resultOf } from "../../events.ts";
import { rolloutExit } from "../../exit-codes.ts";
import { onStack, type Register, type SetFlags } from "../command.ts";
import { requestOf, runOnRollout, withCutover, type CutoverOptions, type RolloutWork } from "./options.ts";

/** cutover: moves the traffic to a new release. */
export const registerCutover: Register = (program, run) => {
  const cutover = program
    .command("cutover")
    .description("deploy an image into the idle slot and move the traffic to it, step by step")
    .requiredOption("--image <image>", "the release")
    .option("--id-file <file>", "write the rollout's identifier to this file before anything is changed");
  onStack(withCutover(cutover))
    .addHelpText(
      "after",
      `
Gates evaluate each step on data of Prometheus: errors and latency of the new release, against their limits and against the
old release in the same seconds. If a gate fails, the rollout is rolled back automatically. After Ctrl-C or a crash,
\`./exai rollout resume\` continues the rollout.

Exit codes: 0 done, 1 rolled back, 2 failed, 3 refused, 130 interrupted and resumable.

Examples:
  ./exai rollout plan --image exai/reference-server:1.1.0
  ./exai cutover --image exai/reference-server:1.1.0 --steps 10,50,100 --hold 30s --reason "release 1.1.0"`,
    )
    .action(async (stack: string, flags: SetFlags & CutoverFlags) => {
      const change = { verb: "cutover", subject: flags.image, reason: flags.reason } as const;
      await runOnRollout(run, { ...flags, stack }, () => cutoverWork(flags), { deploys: true }, change);
    });
};

interface CutoverFlags extends CutoverOptions {
  /** A file for the rollout's identifier. */
  readonly idFile?: string;
}

/** `cutover`. @throws UserError that names a wrong option */
export function cutoverWork(options: CutoverFlags): RolloutWork {
  const { image = "", ...request } = requestOf({ image: "", ...options });
  return async function* (context) {
    const identifier = options.idFile === undefined ? {} : { onIdentifier: identifierFile(options.idFile) };
    return yield* resultOf("cutover", cutover(context, { ...request, ...identifier, image }), rolloutExit);
  };
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
