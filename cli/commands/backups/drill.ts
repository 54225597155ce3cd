import type { Command } from "commander";
import { EXIT } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { drillDumps } from "../../../operations/dumps/commands.ts";
import { requestDrill, type DrillRequest, type DrillResult } from "../../../operations/restore/drill.ts";
import { openStack } from "../../../platforms/stack.ts";
import { audited } from "../../audited.ts";
import { resultOf, type Verb } from "../../events.ts";
import { onStack, stacksOf, withReason, type ReasonFlag, type Register, type SetFlags } from "../command.ts";

interface DrillFlags extends SetFlags, ReasonFlag {
  readonly stack?: string;
  readonly target?: string;
}

/** drill: a restore for real. */
export const registerDrill: Register = (program, run) => {
  const drill = program.command("drill").description("restore for real, prove the data, and measure RTO and RPO");
  withReason(onStack(drill))
    .option("--target <stack>", "the same as --stack")
    .addHelpText(
      "after",
      `
The backup runner writes numbered rows, restores what the archive has at one moment into its scratch volume, and counts which
acknowledged rows are lost. It checks tables and indexes (pg_amcheck), foreign keys, sequences, row counts, and a dump. The runner also runs one monthly.
On a cluster a Job restores the newest dump into a scratch server; RPO is the age of the dump. A CronJob does so monthly.

Exit codes: 0 passed, 1 failed: a check failed, or the drill could not run.`,
    )
    .action(async (stack: string, flags: DrillFlags, action: Command) => {
      const typed = action.args.length > 0 || flags.stack !== undefined ? [stack] : [];
      const [named = stack] = stacksOf(action, typed, flags.target, "--target");
      await run((signal) => {
        const opened = openStack(named, flags.set);
        const work = async function* (): Verb {
          return opened.hosted === undefined
            ? yield* runDrill((await opened.database({ signal })).url, { signal })
            : yield* drilled(drillDumps(await opened.hosted.dumps(), signal));
        };
        return audited(opened.audit, { verb: "drill", reason: flags.reason }, work(), signal);
      });
    });
};

/** `drill`. */
export function runDrill(url: string, request: DrillRequest = {}): Verb {
  return drilled(requestDrill(url, request));
}

function drilled(work: Operation<DrillResult>): Verb {
  return resultOf("drill", work, ({ outcome }) => (outcome === "passed" ? EXIT.ok : EXIT.violations));
}
