import { EXIT } from "../../../contract/errors.ts";
import { listReleases } from "../../../operations/rollout/commands/releases.ts";
import { resultOf } from "../../events.ts";
import type { Register } from "../command.ts";
import { runOnRollout, withStack, type RolloutFlags, type RolloutWork } from "./options.ts";

/** releases: the images that have had the users. */
export const registerReleases: Register = (program, run) => {
  withStack(program.command("releases").description("list the releases, and how to roll back to each"))
    .addHelpText(
      "after",
      `
Example:
  ./exai rollback --to 1.0.0 --reason "invoices are wrong since 1.1.0"`,
    )
    .action(async (flags: RolloutFlags) => {
      const work: RolloutWork = (context) => resultOf("releases", listReleases(context), () => EXIT.ok);
      await runOnRollout(run, flags, () => work);
    });
};
