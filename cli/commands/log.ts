import { EXIT } from "../../contract/errors.ts";
import { readAudit } from "../../operations/audit/log.ts";
import { openStack } from "../../platforms/stack.ts";
import { resultOf } from "../events.ts";
import { countOf, onStack, type Register, type SetFlags } from "./command.ts";

/** log: who changed a stack, when and why. */
export const registerLog: Register = (program, run) => {
  onStack(program.command("log").description("list the commands that changed a stack: who, when, why, outcome"))
    .option("--last <count>", "number of commands, newest last")
    .addHelpText(
      "after",
      `
Every command that changes a stack is listed, also if it failed. One that was killed, or still runs, is unfinished.

Examples:
  ./exai log --last 50
  ./exai --json log prod | jq -r '.data.entries[]? | [.at, .who, .verb, .reason] | @tsv'`,
    )
    .action(async (stack: string, flags: SetFlags & { readonly last?: string }) => {
      await run(() => {
        const last = countOf(flags.last, 20, "log --last 20");
        return resultOf("log", readAudit(stack, openStack(stack, flags.set).audit, last), () => EXIT.ok);
      });
    });
};
