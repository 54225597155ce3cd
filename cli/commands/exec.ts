import { Argument } from "commander";
import { SLOTS, type Slot } from "../../contract/slots.ts";
import { openStack } from "../../platforms/stack.ts";
import type { RenderOptions } from "../run.ts";
import { session } from "../session.ts";
import { withOverrides, type Register, type SetFlags } from "./command.ts";

/** exec: a command in the container of a slot. */
export const registerExec: Register = (program) => {
  withOverrides(
    program
      .command("exec")
      .description("run a command in the container of a slot")
      .addArgument(new Argument("<slot>", "slot of the server").choices(SLOTS))
      .argument("[command...]", "the command and its arguments, after --", ["sh"])
      .option("--stack <stack>", "local, staging or prod", "local"),
  )
    .addHelpText(
      "after",
      `
Docker runs it on this machine, kubectl on a cluster, in one pod of the slot. It gets a terminal if both standard input and
standard output are one, and pipes otherwise.

Exit codes: those of the command; 126 or 127 if the container has no such command; 2 if it could not be run.

Examples:
  ./exai exec blue
  ./exai exec green --stack prod -- cat /proc/1/limits | grep files`,
    )
    .action(async (slot: Slot, command: string[], flags: SetFlags & { readonly stack: string }) => {
      await session(program.opts<RenderOptions>(), (terminal) =>
        openStack(flags.stack, flags.set).exec(slot, { command, terminal }),
      );
    });
};
