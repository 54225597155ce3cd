import { onStack, type Register, type SetFlags } from "./command.ts";

interface EnvFlags extends SetFlags {
  readonly example: boolean;
}

/** env: the environment of the server. */
export const registerEnv: Register = (program, run) => {
  onStack(program.command("env").description("show the effective environment of the server, secrets masked"))
    .option("--example", "print an .env.example instead", false)
    .action(async (stack: string, flags: EnvFlags) => {
      const { env } = await import("../verbs/env.ts");
      await run(() => env(stack, flags.set ?? {}, flags));
    });
};
