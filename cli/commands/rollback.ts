import { rollback, type RollbackRequest } from "../../operations/rollout/commands/rollback.ts";
import { resultOf } from "../events.ts";
import { rolloutExit } from "../exit-codes.ts";
import type { Register } from "./command.ts";
import { runOnRollout, withReason, withStack, type RolloutFlags, type RolloutWork } from "./rollout-options.ts";

/** rollback: moves the traffic back to the previous release. */
export const registerRollback: Register = (program, run) => {
  const command = program
    .command("rollback")
    .description("move the traffic back to the other slot, now")
    .option("--keep-sessions", "keep MCP sessions and connections on the slot that loses its users", false)
    .option("--accept-schema", "roll back although the schema is newer than the old release declares", false);
  withStack(withReason(command))
    .addHelpText(
      "after",
      `
While the old slot is warm, this is one change of weights. If another process leads a rollout, that process rolls it back.

Exit codes: 0 rolled back, 1 the old release did not become ready and the new one keeps the users, 2 failed, 3 there is
nothing to roll back.

Example:
  ./exai rollback --reason "orders fail"`,
    )
    .action(async (flags: RolloutFlags & RollbackRequest) => {
      const work: RolloutWork = (context) => resultOf("rollback", rollback(context, flags), rolloutExit);
      await runOnRollout(run, flags, () => work, { urgent: true });
    });
};
