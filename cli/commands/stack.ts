import { Option } from "commander";
import type { Overrides } from "../../platforms/compose/project.ts";
import { stackCommand, type Register } from "./command.ts";

interface Flags {
  readonly set?: Overrides;
}

/** up, down, status, logs, env, synth: the life of a stack. */
export const registerStack: Register = (program, run) => {
  stackCommand(program, "up", "bring a stack up: on this machine, or with the Pulumi engine")
    .addHelpText(
      "after",
      `
Without a stack, everything runs on this machine with Docker Compose: server in both slots, router, PostgreSQL with its
migrations and backups, Prometheus and Alertmanager, all on loopback. A second run changes nothing.

Examples:
  ./exai up
  ./exai up --set httpPort=8090 --set logLevel=debug
  ./exai up staging`,
    )
    .option("--engine", "use the Pulumi engine on this machine too", false)
    .option("-y, --yes", "do not ask before a stack elsewhere is changed", false)
    .action(async (stack: string, flags: Flags & { engine: boolean; yes: boolean }) => {
      const { up } = await import("../verbs/up-any.ts");
      await run((signal) => up(stack, flags.set ?? {}, flags, signal));
    });

  stackCommand(program, "preview", "what up would change, by the Pulumi engine and under the policies").action(
    async (stack: string, flags: Flags) => {
      const { preview } = await import("../verbs/preview.ts");
      await run((signal) => preview(stack, flags.set ?? {}, signal));
    },
  );

  stackCommand(program, "down", "stop and remove a stack; its data stays unless --volumes is given")
    .option("--volumes", "also remove the data; asks before", false)
    .option("-y, --yes", "do not ask", false)
    .action(async (stack: string, flags: Flags & { volumes: boolean; yes: boolean }) => {
      const { down } = await import("../verbs/down-any.ts");
      await run((signal) => down(stack, flags.set ?? {}, flags, signal));
    });

  stackCommand(program, "status", "what runs and how it is; exit code 1 where something is not healthy").action(
    async (stack: string, flags: Flags) => {
      const { statusLocal } = await import("../verbs/status.ts");
      await run(statusLocal(stack, flags.set ?? {}));
    },
  );

  stackCommand(program, "logs", "logs of the local stack's services")
    .argument("[service]", "one service, e.g. server-blue or router")
    .option("-f, --follow", "go on until Ctrl-C", false)
    .option("-n, --tail <lines>", "last lines of each service to begin with", "50")
    .action(async (stack: string, service: string | undefined, flags: Flags & { follow: boolean; tail: string }) => {
      const { logsLocal } = await import("../verbs/logs.ts");
      // `./exai logs router`: the stack may be left out.
      const named = ["local", "staging", "prod"].includes(stack);
      const options = { service: named ? service : stack, follow: flags.follow, tail: Number(flags.tail) };
      await run((signal) => logsLocal(named ? stack : "local", flags.set ?? {}, options, signal));
    });

  stackCommand(program, "env", "the server's effective environment, secrets masked")
    .option("--example", "print an .env.example instead", false)
    .action(async (stack: string, flags: Flags & { example: boolean }) => {
      const { env } = await import("../verbs/env.ts");
      await run(env(stack, flags.set ?? {}, flags));
    });

  stackCommand(program, "synth", "what a stack comes to without the engine: a Compose file, or Kubernetes manifests")
    .addOption(new Option("--out <dir>", "write files to this folder instead of standard output"))
    .option("--with-secrets", "write the known contents of Kubernetes Secrets", false)
    .action(async (stack: string, flags: Flags & { out?: string; withSecrets: boolean }) => {
      const { synth } = await import("../verbs/synth.ts");
      await run(synth(stack, flags.set ?? {}, { out: flags.out, withSecrets: flags.withSecrets }));
    });
};
