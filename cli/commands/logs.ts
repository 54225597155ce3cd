import { EXIT, UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { openStack } from "../../platforms/stack.ts";
import { onStack, type Register, type SetFlags } from "./command.ts";

interface LogsFlags extends SetFlags {
  readonly stack?: string;
  readonly follow: boolean;
  readonly tail: string;
}

/** logs: the logs of a stack's services. */
export const registerLogs: Register = (program, run) => {
  onStack(program.command("logs").description("print the logs of a stack's services"))
    .argument("[service]", "one service, for example server-blue or router")
    .option("-f, --follow", "print new lines until Ctrl-C", false)
    .option("-n, --tail <lines>", "number of past lines of each service", "50")
    .action(async (stack: string, service: string | undefined, flags: LogsFlags) => {
      // `./exai logs router`: the stack may be omitted.
      const named = flags.stack !== undefined || ["local", "staging", "prod"].includes(stack);
      await run(async function* (signal) {
        const { follow } = flags;
        const options = { service: named ? service : stack, follow, tail: linesOf(flags.tail), signal };
        yield* openStack(named ? stack : "local", flags.set).logs(options);
        return EXIT.ok;
      });
    });
};

/** @throws UserError if it is not a number of lines */
function linesOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new UserError("invalid-argument", "--tail", "is not a number of lines", fix`${command("logs --tail 50")}`);
}
