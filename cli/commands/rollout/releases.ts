import { EXIT } from "../../../contract/errors.ts";
import { listReleases } from "../../../operations/rollout/commands/releases.ts";
import { resultOf } from "../../events.ts";
import { onStack, type Register, type SetFlags } from "../command.ts";
import { runOnRollout, type RolloutWork } from "./options.ts";

/** releases: the images that have had the users. */
export const registerReleases: Register = (program, run) => {
  onStack(program.command("releases").description("list the releases, and how to roll back to each"))
    .addHelpText(
      "after",
      `
Example:
  ./exai rollback --to 1.0.0 --reason "invoices are wrong since 1.1.0"`,
    )
    .action(async (stack: string, flags: SetFlags) => {
      const work: RolloutWork = (context) => resultOf("releases", listReleases(context), () => EXIT.ok);
      await runOnRollout(run, { ...flags, stack }, () => work);
    });
};
