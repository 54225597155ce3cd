import type { Operation } from "../../../contract/events.ts";
import type { LedResult } from "../../../operations/rollout/commands/ask-leader.ts";
import { cutover } from "../../../operations/rollout/commands/cutover.ts";
import { findRelease } from "../../../operations/rollout/commands/releases.ts";
import { rollback, type RollbackRequest } from "../../../operations/rollout/commands/rollback.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { resultOf } from "../../events.ts";
import { rolloutExit } from "../../exit-codes.ts";
import { onStack, withReason, type Register, type SetFlags } from "../command.ts";
import { runOnRollout, type RolloutWork } from "./options.ts";

/** rollback: moves the traffic back to the previous release. */
export const registerRollback: Register = (program, run) => {
  const command = program
    .command("rollback")
    .description("move the traffic back to the other slot, now, or to an earlier release")
    .option("--to <release>", "a release of ./exai releases: its image, tag, digest or rollout")
    .option("--keep-sessions", "keep MCP sessions and connections on the slot that loses its users", false)
    .option("--accept-schema", "roll back although the schema is newer than the old release declares", false);
  onStack(withReason(command))
    .addHelpText(
      "after",
      `
While the old slot is warm, this is one change of weights. If another process leads a rollout, that process rolls it back.
--to names an earlier release. Unless it is the warm one, it is deployed, and gets the users in one step after the smoke test,
under the gates.

Exit codes: 0 rolled back, 1 the old release did not become ready and the new one keeps the users, 2 failed, 3 there is
nothing to roll back.

Examples:
  ./exai rollback --reason "orders fail"
  ./exai rollback --to 1.0.0 --reason "invoices are wrong since 1.1.0"`,
    )
    .action(async (stack: string, flags: SetFlags & RollbackFlags) => {
      const work: RolloutWork = (context) => resultOf("rollback", rollbackTo(context, flags), rolloutExit);
      const kind = flags.to === undefined ? { urgent: true } : { deploys: true };
      const change = { verb: "rollback", subject: flags.to, reason: flags.reason } as const;
      await runOnRollout(run, { ...flags, stack }, () => work, kind, change);
    });
};

interface RollbackFlags extends RollbackRequest {
  /** Name of a release. */
  readonly to?: string;
}

/** A rollback, or a cutover to an earlier release in one step. */
async function* rollbackTo(context: RolloutContext, { to, ...request }: RollbackFlags): Operation<LedResult> {
  const release = to === undefined ? undefined : await findRelease(context, to);
  if (release === undefined || release.state === "warm") return yield* rollback(context, request);
  const reason = request.reason ?? `rollback to ${release.image}`;
  return yield* cutover(context, { image: release.image, steps: [100], reason });
}
