import { EXIT } from "../../contract/errors.ts";
import { openStack } from "../../platforms/stack.ts";
import { resultOf } from "../events.ts";
import { onStack, type Register, type SetFlags } from "./command.ts";

/** preview: what `up` would change. */
export const registerPreview: Register = (program, run) => {
  onStack(program.command("preview").description("show what up would change, by the Pulumi engine under the policies"))
    .option("--engine", "use the Pulumi engine for a stack on this machine too", false)
    .addHelpText(
      "after",
      `
Nothing is changed. On this machine: the services that would be created, replaced, started or removed, with what differs; the
images that would be pulled or built; the pending migrations.

Exit codes: 0 done, 1 a policy forbids it, 2 failed, 3 a port that up needs is in use.

Example:
  ./exai preview local --set logLevel=debug`,
    )
    .action(async (stack: string, flags: SetFlags & { readonly engine: boolean }) => {
      const { engine, set } = flags;
      await run((signal) => resultOf("preview", openStack(stack, set).preview({ engine, signal }), () => EXIT.ok));
    });
};
