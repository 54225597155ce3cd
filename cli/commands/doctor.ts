import type { Register } from "./command.ts";

/** doctor and test: the machine and the checks. */
export const registerDoctor: Register = (program, run) => {
  program
    .command("doctor")
    .description("check what this machine needs, each with its fix")
    .option("--install", "install what is missing, on Debian and Ubuntu as root", false)
    .action(async (flags: { install: boolean }) => {
      const { doctor } = await import("../verbs/doctor.ts");
      await run((signal) => doctor(flags, signal));
    });

  program
    .command("test")
    .description("types, lint, dead code and all tests; the last line counts them")
    .argument("[suites...]", "folders under tests/ to run alone, e.g. unit policies")
    .action(async (suites: string[]) => {
      const { test } = await import("../verbs/test.ts");
      await run((signal) => test(suites, signal));
    });
};
