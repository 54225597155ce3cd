import type { Overrides } from "../../platforms/compose/project.ts";
import type { SecretsRotateOptions } from "../verbs/secrets.ts";
import { openStack } from "../../platforms/stack.ts";
import { withOverrides, type Register } from "./command.ts";

interface Flags {
  readonly set?: Overrides;
}

/** secrets: keys that are replaced while the stack runs. */
export const registerSecrets: Register = (program, run) => {
  const secrets = program.command("secrets").description("keys, and how they are replaced while the stack runs");
  withOverrides(
    secrets
      .command("rotate")
      .description("replace a key slot by slot; run again, it goes on where it ended")
      .argument("<what>", "jwt: the key for tokens")
      .argument("[stack]", "local, staging or prod", "local")
      .option("--abort", "go back to the key that the rotation came from", false)
      .option("--wait", "wait for the old key's tokens to expire, instead of ending until then", false)
      .option("--lifetime <time>", "longest life of a token, e.g. 1h; exai:jwtLifetimeMinutes by default")
      .option("--steps <percentages>", "weights of each of the cutovers, ending in 100")
      .option("--hold <time>", "how long each step of a cutover is watched")
      .option("--bake <time>", "how long all traffic is watched after a cutover's last step")
      .option("--drain <time>", "how long open connections of a slot may go on before it is deployed")
      .option("--reason <text>", "for the history"),
  )
    .addHelpText(
      "after",
      `
Both slots accept both keys before the new one signs, and until every token of the old one has expired. Each slot gets
its keys by a cutover to the image that it has, so no container is changed under its users.

Example:
  ./exai secrets rotate jwt --steps 50,100 --wait`,
    )
    .action(async (what: string, stack: string, flags: Flags & SecretsRotateOptions) => {
      const { secretsRotate } = await import("../verbs/secrets.ts");
      await run(async function* (signal) {
        const { settings, rotation } = openStack(stack, flags.set);
        return yield* secretsRotate(rotation(signal, { deploys: true }), what, settings.jwtLifetimeMinutes, flags);
      });
    });
  withOverrides(
    secrets
      .command("status")
      .description("how far a rotation is")
      .argument("[stack]", "local, staging or prod", "local"),
  ).action(async (stack: string, flags: Flags) => {
    const { secretsStatus } = await import("../verbs/secrets.ts");
    await run(async function* (signal) {
      return yield* secretsStatus(openStack(stack, flags.set).rotation(signal, { deploys: false }));
    });
  });
};
