import { EXIT } from "../../contract/errors.ts";
import { checkAndInstall } from "../../platforms/machine/doctor.ts";
import { resultOf, type Verb } from "../events.ts";
import type { Register } from "./command.ts";

/** doctor: whether this machine has what the stack and the tests need. */
export const registerDoctor: Register = (program, run) => {
  program
    .command("doctor")
    .description("check what this machine needs, with a fix for each missing part")
    .option("--install", "install what is missing, on Debian and Ubuntu as root", false)
    .addHelpText("after", "\nExit codes: 0 nothing is missing, 1 something is missing, 2 the installation failed.")
    .action(async (flags: DoctorFlags) => {
      await run((signal) => doctor(flags, signal));
    });
};

interface DoctorFlags {
  readonly install: boolean;
}

/** `doctor`. */
export function doctor(flags: DoctorFlags, signal: AbortSignal): Verb {
  return resultOf("doctor", checkAndInstall(flags, signal), ({ ready }) => (ready ? EXIT.ok : EXIT.violations));
}
