import type { Command } from "commander";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import type { Overrides } from "../../platforms/compose/project.ts";
import type { RolloutKind } from "../../platforms/platform.ts";
import { openStack } from "../../platforms/stack.ts";
import type { CutoverOptions } from "../verbs/cutover.ts";
import type { RollbackOptions } from "../verbs/rollback.ts";
import type { RolloutAction, RolloutOptions } from "../verbs/rollout.ts";
import type { Verb } from "../events.ts";
import { withOverrides, type Register, type Run } from "./command.ts";

interface Flags {
  readonly set?: Overrides;
  readonly stack: string;
}

/** What `./exai rollout <action>` is beside its name. */
interface Action {
  readonly description: string;
  /** What the help says after the options. */
  readonly help: string;
  readonly options?: (command: Command) => unknown;
  readonly kind?: RolloutKind;
}

const ACTIONS: Readonly<Record<RolloutAction, Action>> = {
  plan: {
    description: "what a cutover would do, step by step, and what would keep it from beginning",
    options: (command) => cutoverOptions(command.option("--image <image>", "the release")),
    help: `
Nothing is changed and no lease is taken. Without --image it tells all but what depends on it.

Exit codes: 0 a cutover could begin, 2 it could not work, 3 it would be refused.

Example:
  ./exai rollout plan --image exai/reference-server:1.1.0 --steps 10,50,100 --hold 30s`,
  },
  status: {
    description: "where the rollout stands, and who leads it; live with --watch",
    options: (command) =>
      command
        .option("-w, --watch", "go on until the rollout ends, or Ctrl-C", false)
        .option("--every <time>", "how often --watch looks", "1s"),
    help: `
--watch shows one view in place on a terminal, a line per change elsewhere, and an object per look with --json. It changes
nothing and disturbs nobody. Where no rollout is under way it waits for one.

Exit codes: 0; with --watch 0 completed, 1 taken back, 130 Ctrl-C; 2 the router does not answer or has another table.

Examples:
  ./exai rollout status --watch
  ./exai --json rollout status --watch | jq --unbuffered .data.weights`,
  },
  history: {
    description: "every rollout: who, when, why, images, how it ended; one of them with its figures",
    options: (command) =>
      command
        .argument("[rollout]", "one rollout: its identifier, or enough of its beginning or end")
        .option("--last <count>", "newest rollouts to show"),
    help: `
Examples:
  ./exai rollout history --last 3
  ./exai rollout history 0ca976
  ./exai --json rollout history | jq -r '.data[]? | [.startedAt, .who, .image, .outcome] | @tsv'`,
  },
  pause: {
    description: "keep the rollout at its weights; its gates go on watching",
    options: withReason,
    help: `
A paused rollout is still taken back where a gate fails. ./exai rollout resume lets it go on.

Exit codes: 0 paused, 3 there is nothing to pause.`,
  },
  resume: {
    description: "go on with a rollout that is paused, or whose controller is gone",
    kind: { deploys: true },
    options: (command) =>
      ofRollout(command).option("--lead", "only where nobody leads it any more; a pause stays", false),
    help: `
A step begins anew, with a full hold, since nobody has watched it. --rollout means one rollout and no other: where that one is
over, the exit code says how it ended. --lead is for a pipeline that goes on after its own cutover failed.

Exit codes: 0 done or nothing to resume, 1 taken back, 2 could not work, 3 refused, 130 interrupted.`,
  },
  promote: {
    description: "pass to the next step now, or approve the last one",
    options: (command) => withReason(command.option("--full", "go on to all users", false)),
    help: `
The gates are asked once more: one that fails refuses the promotion.

Exit codes: 0 promoted, 3 refused.

Example:
  ./exai rollout promote --reason "checked by the support team"`,
  },
  abort: {
    description: "take an unfinished rollout back",
    kind: { urgent: true },
    options: (command) =>
      withReason(
        ofRollout(command).option("--keep-sessions", "leave MCP sessions and connections where they are", false),
      ),
    help: `
--rollout means one rollout and no other; ./exai cutover --id-file gives its identifier.

Exit codes: 0 taken back or nothing to abort, 2 could not work, 3 the rollout is complete (./exai rollback takes it back), or
--rollout names another one than is under way.`,
  },
  finish: {
    description: "end the standby: drain and stop the old slot",
    options: (command) => withReason(command.option("--drain <time>", "how long its open connections may go on")),
    help: `
After it a rollback has to deploy the old release again. ./exai up starts the slot with what it had.

Exit codes: 0 stopped, 2 could not work, 3 there is no standby, or somebody else is at it.`,
  },
};

/** cutover, rollback, rollout: the traffic between the two slots. */
export const registerRollout: Register = (program, run) => {
  const cutover = program
    .command("cutover")
    .description("put an image into the idle slot and move the users to it, step by step")
    .requiredOption("--image <image>", "the release")
    .option("--id-file <file>", "write the rollout's identifier there as soon as it has one, before anything changes");
  onStack(cutoverOptions(cutover))
    .addHelpText(
      "after",
      `
Each step is judged by gates on Prometheus: errors and latency of the new release, alone and beside the old one over the
same seconds. A step that fails takes all users back by itself. Ctrl-C, or a crash, leaves a rollout that
\`./exai rollout resume\` goes on with.

Exit codes: 0 done, 1 taken back, 2 could not work, 3 refused, 130 interrupted and resumable.

Examples:
  ./exai rollout plan --image exai/reference-server:1.1.0
  ./exai cutover --image exai/reference-server:1.1.0 --steps 10,50,100 --hold 30s --reason "release 1.1.0"`,
    )
    .action(async (flags: Flags & CutoverOptions) => {
      const load = async () => {
        const { cutoverVerb } = await import("../verbs/cutover.ts");
        return (context: RolloutContext) => cutoverVerb(context, flags);
      };
      await onRollout(run, flags, load, { deploys: true });
    });

  const rollback = program
    .command("rollback")
    .description("take the users back to the other slot, now")
    .option("--keep-sessions", "leave MCP sessions and connections on the slot that is left", false)
    .option("--accept-schema", "go back although the schema has moved past the old release", false);
  onStack(withReason(rollback))
    .addHelpText(
      "after",
      `
While the old slot is warm this is one change of weights; a rollout that is under way is told to take itself back.

Exit codes: 0 taken back, 1 the old release did not come back and the new one keeps the users, 2 could not work, 3 nothing
to take back.

Example:
  ./exai rollback --reason "orders fail"`,
    )
    .action(async (flags: Flags & RollbackOptions) => {
      const load = async () => {
        const { rollbackVerb } = await import("../verbs/rollback.ts");
        return (context: RolloutContext) => rollbackVerb(context, flags);
      };
      await onRollout(run, flags, load, { urgent: true });
    });

  const rollout = program.command("rollout").description("the rollout under way, those before it, and the next one");
  for (const [name, action] of Object.entries(ACTIONS) as [RolloutAction, Action][]) {
    const command = rollout.command(name).description(action.description);
    action.options?.(command);
    onStack(command)
      .addHelpText("after", action.help)
      .action(async () => {
        const options = command.opts<Flags & RolloutOptions>();
        const flags = { ...options, rollout: command.args[0] ?? options.rollout };
        const load = async () => {
          const { rolloutVerb } = await import("../verbs/rollout.ts");
          return (context: RolloutContext) => rolloutVerb(context, name, flags);
        };
        await onRollout(run, flags, load, action.kind);
      });
  }
};

/** How a cutover goes, whether it is done or planned. */
function cutoverOptions(command: Command): Command {
  return withReason(
    command
      .option("--steps <percentages>", "weights of the new release, ending in 100", "5,25,50,100")
      .option("--hold <time>", "how long each step is watched, e.g. 10s or 2m")
      .option("--bake <time>", "how long all traffic is watched after the last step")
      .option("--standby <time>", "how long the old release stays warm")
      .option("--drain <time>", "how long the idle slot's open connections may go on before it is deployed")
      .option("--approve", "wait for ./exai rollout promote before the new release gets all users"),
  );
}

function ofRollout(command: Command): Command {
  return command.option("--rollout <id>", "this rollout and no other");
}

function withReason(command: Command): Command {
  return command.option("--reason <text>", "for the history");
}

function onStack(command: Command): Command {
  return withOverrides(command.option("--stack <stack>", "stack", "local"));
}

/** Opens what the stack's rollouts touch, on whichever platform it is, and runs a verb on it. */
async function onRollout(
  run: Run,
  flags: Flags,
  load: () => Promise<(context: RolloutContext) => Verb>,
  kind: RolloutKind = {},
): Promise<void> {
  const work = await load();
  await run((signal) => openStack(flags.stack, flags.set).rollout(kind, signal, work));
}
