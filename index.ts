import * as pulumi from "@pulumi/pulumi";
import { UserError, UserErrors } from "./contract/errors.ts";
import { buildStack } from "./stacks/program.ts";
import { parseSettings } from "./stacks/settings.ts";
import { engineSource } from "./stacks/settings/engine.ts";

/** The program that the engine runs: settings, the stack's builder, its outputs. */
async function main(): Promise<Record<string, unknown>> {
  try {
    return await buildStack(parseSettings(pulumi.getStack(), engineSource()));
  } catch (error) {
    // A RunError is printed without a stack trace: the reader fixes a setting, not the program.
    if (error instanceof UserError) throw new pulumi.RunError(error.render());
    if (error instanceof UserErrors) throw new pulumi.RunError(error.message);
    throw error;
  }
}

export default await main();
