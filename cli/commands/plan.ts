import { Option } from "commander";
import type { PlanFormat } from "../verbs/plan.ts";
import type { Overrides } from "../../platforms/compose/project.ts";
import { withOverrides, type Register } from "./command.ts";

/** Written out here so that the verb, and the policy pack with it, is loaded only when it runs. */
const FORMATS = ["text", "json", "markdown", "sarif"] as const satisfies readonly PlanFormat[];

/** plan and audit: the judgement of a pull request, without engine, credentials or state, and of what is deployed. */
export const registerPlan: Register = (program, run) => {
  program
    .command("plan")
    .description("what will run, and whether the policies allow it: without engine, credentials or state")
    .argument("[stacks...]", "stacks to judge; every stack file where none is named")
    .addOption(new Option("--format <format>", "form of the report").choices(FORMATS).default("text"))
    .option("--out <file>", "write the report to a file")
    .addHelpText("after", "\nExit codes: 0 clean, 1 violations, 2 could not judge.")
    .action(async (stacks: string[], flags: { format: PlanFormat; out?: string }) => {
      const { plan } = await import("../verbs/plan.ts");
      await run(() => plan(stacks, flags));
    });

  withOverrides(program.command("audit"))
    .description("whether the policies allow what is deployed: the same rules over the engine's state")
    .argument("[stack]", "stack whose state the engine is asked for")
    .option("--state <file>", "judge a file that pulumi stack export wrote, without the engine")
    .addOption(new Option("--format <format>", "form of the report").choices(FORMATS).default("text"))
    .option("--out <file>", "write the report to a file")
    .addHelpText("after", "\nExit codes: 0 clean, 1 violations, 2 could not judge.")
    .action(
      async (
        stack: string | undefined,
        flags: { state?: string; format: PlanFormat; out?: string; set?: Overrides },
      ) => {
        const { audit } = await import("../verbs/audit.ts");
        await run(() => audit(stack, flags.set ?? {}, flags));
      },
    );
};
