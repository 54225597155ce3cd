import { EXIT } from "../../contract/errors.ts";
import { openStack } from "../../platforms/stack.ts";
import { resultOf } from "../events.ts";
import { onStack, type Register, type SetFlags } from "./command.ts";

/** status: the services of a stack. */
export const registerStatus: Register = (program, run) => {
  onStack(program.command("status").description("show the services of a stack and their health"))
    .addHelpText("after", "\nExit codes: 0 all healthy, 1 a service is missing or not healthy, 2 failed.")
    .action(async (stack: string, flags: SetFlags) => {
      await run(() =>
        resultOf("status", openStack(stack, flags.set).status(), ({ unhealthy }) =>
          unhealthy.length === 0 ? EXIT.ok : EXIT.violations,
        ),
      );
    });
};
