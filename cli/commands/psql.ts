import { openStack } from "../../platforms/stack.ts";
import type { RenderOptions } from "../run.ts";
import { session } from "../session.ts";
import { stacksOf, withOverrides, withStackOption, type Register, type SetFlags } from "./command.ts";

/** psql: PostgreSQL's client on the database of a stack. */
export const registerPsql: Register = (program) => {
  const psql = program
    .command("psql")
    .description("open psql on the database of a stack, as its owner")
    .argument("[stack]", "local, staging or prod (default: local)")
    .argument("[args...]", "arguments of psql, after --");
  withStackOption(withOverrides(psql))
    .option("--branch <name>", "a branch of the database")
    .addHelpText(
      "after",
      `
On this machine it runs in the container of PostgreSQL. For staging, prod and EXAI_DATABASE_URL it is the psql of this
machine, and the connection verifies the server. The password is never an argument.

Exit codes: those of psql, which are 1 and 2 if it fails and 3 if a script fails; 2 if it could not be run.

Examples:
  ./exai psql
  ./exai psql prod --branch new-search
  ./exai psql prod -- --csv --command 'table exai.backup_status'`,
    )
    .action(
      async (_stack: string | undefined, _args: string[], flags: SetFlags & { branch?: string; stack?: string }) => {
        const [typed, given] = aroundDashes(psql.args, process.argv);
        const [stack = "local", ...more] = stacksOf(psql, typed, flags.stack);
        const words = [...more, ...given];
        const { signal } = new AbortController();
        await session(program.opts<RenderOptions>(), (terminal) =>
          openStack(stack, flags.set).psql({ args: words, branch: flags.branch, terminal, signal }),
        );
      },
    );
};

/** What was typed before `--` and after it: commander does not say which operands were. */
export function aroundDashes(
  operands: readonly string[],
  argv: readonly string[],
): readonly [before: readonly string[], after: readonly string[]] {
  const dashes = argv.indexOf("--");
  const before = dashes === -1 ? operands.length : operands.length - (argv.length - dashes - 1);
  return [operands.slice(0, before), operands.slice(before)];
}
