import { EXIT } from "../../contract/errors.ts";
import { command } from "../../contract/fix.ts";
import type { DownPlan } from "../../platforms/results.ts";
import { openStack } from "../../platforms/stack.ts";
import { confirmByName } from "../confirm.ts";
import { resultOf, type Verb } from "../events.ts";
import { typed } from "../format/block.ts";
import { downQuestion } from "../format/stack.ts";
import { audited } from "../audited.ts";
import { onStack, withReason, type ReasonFlag, type Register, type SetFlags } from "./command.ts";

interface DownFlags extends SetFlags, ReasonFlag {
  readonly volumes: boolean;
  readonly yes: boolean;
}

/** down: stops and removes a stack. */
export const registerDown: Register = (program, run) => {
  withReason(
    onStack(program.command("down").description("stop and remove a stack; its data is kept unless --volumes is given")),
  )
    .option("--volumes", "also delete the data, after a question", false)
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", "\nExit codes: 0 done, 2 failed, 3 not confirmed, or another operation holds the lock.")
    .action(async (stack: string, flags: DownFlags) => {
      await run((signal) => down(stack, flags, signal));
    });
};

function down(name: string, { volumes, yes, set, reason }: DownFlags, signal: AbortSignal): Verb {
  const words = ["down", ...(name === "local" ? [] : [name]), ...(volumes ? ["--volumes"] : []), "--yes"];
  const ask = (plan: DownPlan) => confirmByName(plan.name, downQuestion(plan), typed(command(words.join(" "))));
  const confirm = yes ? undefined : ask;
  const stack = openStack(name, set);
  const work = resultOf("down", stack.down({ volumes, confirm, signal }), () => EXIT.ok);
  return audited(stack.audit, { verb: "down", subject: volumes ? "--volumes" : undefined, reason }, work, signal);
}
