import { onStack, type Register, type SetFlags } from "./command.ts";

interface DownFlags extends SetFlags {
  readonly volumes: boolean;
  readonly yes: boolean;
}

/** down: stops and removes a stack. */
export const registerDown: Register = (program, run) => {
  onStack(program.command("down").description("stop and remove a stack; its data is kept unless --volumes is given"))
    .option("--volumes", "also delete the data, after a question", false)
    .option("-y, --yes", "do not ask", false)
    .addHelpText("after", "\nExit codes: 0 done, 2 failed, 3 not confirmed, or another operation holds the lock.")
    .action(async (stack: string, flags: DownFlags) => {
      const { down } = await import("../verbs/down-any.ts");
      await run((signal) => down(stack, flags.set ?? {}, flags, signal));
    });
};
