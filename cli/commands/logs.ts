import { onStack, type Register, type SetFlags } from "./command.ts";

interface LogsFlags extends SetFlags {
  readonly follow: boolean;
  readonly tail: string;
}

/** logs: the logs of the local stack's services. */
export const registerLogs: Register = (program, run) => {
  onStack(program.command("logs").description("print the logs of the local stack's services"), "local")
    .argument("[service]", "one service, for example server-blue or router")
    .option("-f, --follow", "print new lines until Ctrl-C", false)
    .option("-n, --tail <lines>", "number of past lines of each service", "50")
    .action(async (stack: string, service: string | undefined, flags: LogsFlags) => {
      const { logsLocal } = await import("../verbs/logs.ts");
      // `./exai logs router`: the stack may be omitted.
      const named = ["local", "staging", "prod"].includes(stack);
      const options = { service: named ? service : stack, follow: flags.follow, tail: Number(flags.tail) };
      await run((signal) => logsLocal(named ? stack : "local", flags.set ?? {}, options, signal));
    });
};
