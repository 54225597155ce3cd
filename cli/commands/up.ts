import { EXIT } from "../../contract/errors.ts";
import { command } from "../../contract/fix.ts";
import type { UpPlan } from "../../platforms/results.ts";
import { openStack } from "../../platforms/stack.ts";
import { confirmByName } from "../confirm.ts";
import { resultOf, type Verb } from "../events.ts";
import { typed } from "../format/block.ts";
import { upQuestion } from "../format/stack.ts";
import { audited } from "../audited.ts";
import { onStack, withReason, type ReasonFlag, type Register, type SetFlags } from "./command.ts";

interface UpFlags extends SetFlags, ReasonFlag {
  readonly engine: boolean;
  readonly yes: boolean;
}

/** up: brings a stack up. */
export const registerUp: Register = (program, run) => {
  withReason(onStack(program.command("up").description("bring a stack up, on this machine or with the Pulumi engine")))
    .option("--engine", "use the Pulumi engine on this machine too", false)
    .option("-y, --yes", "do not ask before a stack on a cluster is changed", false)
    .addHelpText(
      "after",
      `
Without a stack, everything runs on this machine with Docker Compose: the server in both slots, the router, PostgreSQL with
its migrations and backups, Prometheus and Alertmanager, all on the loopback interface. A second run changes nothing.

What --set gives a stack on this machine is kept: every later command uses it, and --set key= removes it.

Exit codes: 0 done, 2 failed, 3 another operation holds the lock, or a port is in use.

Examples:
  ./exai up
  ./exai up --set httpPort=8090 --set logLevel=debug
  ./exai up staging`,
    )
    .action(async (stack: string, flags: UpFlags) => {
      await run((signal) => up(stack, flags, signal));
    });
};

function up(name: string, { engine, yes, set, reason }: UpFlags, signal: AbortSignal): Verb {
  const ask = (plan: UpPlan) => confirmByName(name, upQuestion(plan), typed(command(`up ${name} --yes`)));
  const confirm = yes ? undefined : ask;
  const stack = openStack(name, set);
  const work = resultOf("up", stack.up({ engine, confirm, signal }), () => EXIT.ok);
  return audited(stack.audit, { verb: "up", reason }, work, signal);
}
