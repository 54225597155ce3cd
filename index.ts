import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { runError, underPolicies } from "./policies/pack/guard.ts";
import { requireContext } from "./stacks/kube-context.ts";
import { buildStack } from "./stacks/program.ts";
import { readRecords } from "./stacks/records.ts";
import { parseSettings } from "./stacks/settings.ts";
import { engineSource } from "./stacks/settings/engine.ts";
import { listenToRegistrations } from "./synth/registrations.ts";

/** The program that the engine runs: settings, records of operations, the stack's builder under the policies, its outputs. */
async function main(): Promise<Record<string, unknown>> {
  try {
    const settings = parseSettings(pulumi.getStack(), engineSource());
    requireContext(settings);
    const judge = underPolicies(
      settings.environment,
      fileURLToPath(new URL(".", import.meta.url)),
      listenToRegistrations,
    );
    const outputs = await buildStack(settings, await readRecords(settings));
    await judge();
    return outputs;
  } catch (error) {
    throw runError(error);
  }
}

export default await main();
