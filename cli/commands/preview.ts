import { EXIT } from "../../contract/errors.ts";
import { openStack } from "../../platforms/stack.ts";
import { resultOf } from "../events.ts";
import { onStack, type Register, type SetFlags } from "./command.ts";

/** preview: what the Pulumi engine would change. */
export const registerPreview: Register = (program, run) => {
  onStack(program.command("preview").description("show what the Pulumi engine would change, under the policies"))
    .addHelpText("after", "\nNothing is changed.\n\nExit codes: 0 done, 1 a policy forbids it, 2 failed.")
    .action(async (stack: string, flags: SetFlags) => {
      await run((signal) => resultOf("preview", openStack(stack, flags.set).preview(signal), () => EXIT.ok));
    });
};
