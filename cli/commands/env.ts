import { EXIT } from "../../contract/errors.ts";
import { openStack } from "../../platforms/stack.ts";
import { resultOf } from "../events.ts";
import type { EnvironmentData } from "../results.ts";
import { onStack, type Register, type SetFlags } from "./command.ts";

interface EnvFlags extends SetFlags {
  readonly example: boolean;
}

/** env: the environment of the server. */
export const registerEnv: Register = (program, run) => {
  onStack(program.command("env").description("show the effective environment of the server, secrets masked"))
    .option("--example", "print an .env.example instead", false)
    .action(async (stack: string, flags: EnvFlags) => {
      await run(() => resultOf("env", environment(stack, flags), () => EXIT.ok));
    });
};

async function environment(stack: string, { example, set }: EnvFlags): Promise<EnvironmentData> {
  return { stack, example, variables: await openStack(stack, set).variables() };
}
