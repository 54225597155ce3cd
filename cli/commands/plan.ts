import { Option } from "commander";
import type { PlanFormat } from "../verbs/plan.ts";
import type { Register } from "./command.ts";

/** Written out here so that the verb, and the policy pack with it, is loaded only when it runs. */
const FORMATS = ["text", "json", "markdown", "sarif"] as const satisfies readonly PlanFormat[];

/** plan: the pull request's judgement, without engine, credentials or state. */
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
      await run(plan(stacks, flags));
    });
};
