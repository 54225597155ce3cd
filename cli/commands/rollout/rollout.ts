import type { Command } from "commander";
import { EXIT, UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { abort } from "../../../operations/rollout/commands/abort.ts";
import { finish } from "../../../operations/rollout/commands/finish.ts";
import {
  rolloutDetail,
  rolloutHistory,
  type RolloutDetail,
  type RolloutHistory,
} from "../../../operations/rollout/commands/history.ts";
import { pause } from "../../../operations/rollout/commands/pause.ts";
import { planCutover } from "../../../operations/rollout/commands/plan.ts";
import { promote } from "../../../operations/rollout/commands/promote.ts";
import { resume } from "../../../operations/rollout/commands/resume.ts";
import { rolloutStatus } from "../../../operations/rollout/commands/status.ts";
import { watchRollout, type WatchResult } from "../../../operations/rollout/commands/watch.ts";
import { parseSeconds } from "../../../operations/rollout/model/plan.ts";
import { resultOf, type CliEvent } from "../../events.ts";
import { planExit, rolloutExit, statusExit, watchExit } from "../../exit-codes.ts";
import type { RolloutKind } from "../../../platforms/platform.ts";
import { CHANGING, type Change } from "../../audited.ts";
import { countOf, onStack, withOverrides, withReason, type Register } from "../command.ts";
import { isSlot } from "../../../contract/slots.ts";
import { testerLink } from "../../../operations/rollout/commands/tester-link.ts";
import {
  requestOf,
  runOnRollout,
  withCutover,
  type CutoverOptions,
  type RolloutFlags,
  type RolloutWork,
} from "./options.ts";

/** `./exai rollout <action>`. */
interface Action {
  readonly description: string;
  /** What the help says after the options. */
  readonly help: string;
  readonly options?: (command: Command) => unknown;
  readonly kind?: RolloutKind;
}

const ACTIONS: Readonly<Record<RolloutAction, Action>> = {
  plan: {
    description: "show what a cutover would do, step by step, and what would prevent it",
    options: (each) => withCutover(each.option("--image <image>", "the release")),
    help: `
Nothing is changed and no lease is taken. Without --image, what depends on the image is left out.

Exit codes: 0 a cutover could begin, 2 it would fail, 3 it would be refused.

Example:
  ./exai rollout plan --image exai/reference-server:1.1.0 --steps 10,50,100 --hold 30s`,
  },
  status: {
    description: "show the state of the rollout and who leads it; live with --watch",
    options: (each) =>
      each
        .option("-w, --watch", "update the view until the rollout ends, or Ctrl-C", false)
        .option("--every <time>", "time between two updates of --watch", "1s"),
    help: `
--watch updates one view in place on a terminal. A log gets a line per change, and --json an object per update. Nothing is
changed. If no rollout is in progress, --watch waits for one.

Exit codes: 0 done, 2 the router does not answer or has another table; with --watch 0 completed, 1 rolled back, 130 Ctrl-C.

Examples:
  ./exai rollout status --watch
  ./exai --json rollout status --watch | jq --unbuffered .data.weights`,
  },
  history: {
    description: "list the rollouts, or show one of them with its gates",
    options: (each) =>
      each
        .argument("[rollout]", "one rollout: its identifier, or a unique beginning or end of it")
        .option("--last <count>", "number of rollouts, newest last"),
    help: `
Examples:
  ./exai rollout history --last 3
  ./exai rollout history 0ca976
  ./exai --json rollout history | jq -r '.data.rollouts[]? | [.startedAt, .who, .image, .outcome] | @tsv'`,
  },
  pause: {
    description: "keep the rollout at its weights while the gates continue to watch",
    options: withReason,
    help: `
If a gate fails, a paused rollout is rolled back as well. ./exai rollout resume continues it.

Exit codes: 0 paused, 3 there is nothing to pause.`,
  },
  resume: {
    description: "continue a rollout that is paused or that no process leads",
    kind: { deploys: true },
    options: (each) =>
      withReason(
        withRollout(each).option("--lead", "continue only a rollout that no process leads; keep its pause", false),
      ),
    help: `
An interrupted step starts again with its full hold time. --rollout continues that rollout only; if it has ended, the exit code
says how. --lead is for a pipeline that continues after its own cutover failed.

Exit codes: 0 done or nothing to resume, 1 rolled back, 2 failed, 3 refused, 130 interrupted.`,
  },
  promote: {
    description: "go to the next step now, or approve the last one",
    options: (each) => withReason(each.option("--full", "go to the last step, with all users", false)),
    help: `
The gates are evaluated once more. If one fails, the promotion is refused.

Exit codes: 0 promoted, 3 refused.

Example:
  ./exai rollout promote --reason "checked by the support team"`,
  },
  abort: {
    description: "roll back an unfinished rollout",
    kind: { urgent: true },
    options: (each) =>
      withReason(
        withRollout(each).option(
          "--keep-sessions",
          "keep MCP sessions and connections on the slot that loses its users",
          false,
        ),
      ),
    help: `
--rollout aborts that rollout only; ./exai cutover --id-file writes its identifier.

Exit codes: 0 rolled back or nothing to abort, 2 failed, 3 the rollout is complete (./exai rollback rolls it back), or --rollout
is another one than the one in progress.`,
  },
  "tester-link": {
    description: "print a link and a header by which a tester reaches a slot without users",
    options: (each) =>
      each
        .option("--slot <slot>", "idle, blue or green", "idle")
        .option("--ttl <time>", "time until the token expires, at most 168h", "1h"),
    help: `
The token is signed with the stack's key and works for HTTP, MCP and WebSockets. What testers do counts in no gate. An expired
token is answered with 401. exai:accessGeneration and ./exai up revoke all links.

Exit codes: 0 printed, 2 failed, 3 both slots have users.

Examples:
  ./exai rollout tester-link --ttl 8h
  curl -i -H "x-exai-access: $(./exai --json rollout tester-link | jq -r 'select(.type == "result").data.token')" http://127.0.0.1:8080/ready`,
  },
  finish: {
    description: "end the standby: drain and stop the old slot",
    options: (each) => withReason(each.option("--drain <time>", "time after which open connections are closed")),
    help: `
A later rollback deploys the old release again. ./exai up starts the slot with the image that it had.

Exit codes: 0 stopped, 2 failed, 3 there is no standby, or another operation holds the lock.`,
  },
};

/** rollout: the rollout in progress, the previous ones and the next one. */
export const registerRollout: Register = (program, run) => {
  const rollout = program.command("rollout").description("plan, watch and control rollouts");
  for (const [name, action] of Object.entries(ACTIONS) as [RolloutAction, Action][]) {
    const each = rollout.command(name).description(action.description);
    action.options?.(each);
    // The argument of `history` is a rollout.
    const named = name !== "history";
    (named ? onStack(each) : withOverrides(each.option("--stack <stack>", "local, staging or prod", "local")))
      .addHelpText("after", action.help)
      .action(async () => {
        const [argument] = each.processedArgs as readonly (string | undefined)[];
        const flags = { ...each.opts<RolloutFlags & RolloutOptions>(), [named ? "stack" : "rollout"]: argument };
        await runOnRollout(run, flags, () => rolloutWork(name, flags), action.kind, changeOf(name, flags));
      });
  }
};

/** What the audit log records of an action that changes the rollout. */
function changeOf(action: RolloutAction, { rollout: subject, reason }: RolloutOptions): Change | undefined {
  const verb = CHANGING.find((each) => each === `rollout ${action}`);
  return verb === undefined ? undefined : { verb, subject, reason };
}

function withRollout(command: Command): Command {
  return command.option("--rollout <id>", "only this rollout");
}

/** What `rollout` can do. */
export type RolloutAction =
  "tester-link" | "plan" | "status" | "history" | "pause" | "resume" | "promote" | "abort" | "finish";

/** The options of all actions; the image, the times and so on are those of `plan`. */
export interface RolloutOptions extends CutoverOptions {
  /** For `status`: live, until the rollout ends. */
  readonly watch?: boolean;
  /** For `status --watch`: `1s`, `500ms`, … */
  readonly every?: string;
  /** For `promote`. */
  readonly full?: boolean;
  /** For `abort`. */
  readonly keepSessions?: boolean;
  /** For `history`: how many rollouts. */
  readonly last?: string;
  /** For `resume`: only if no process leads it, and a pause stays. */
  readonly lead?: boolean;
  /** For `tester-link`: `idle`, `blue` or `green`. */
  readonly slot?: string;
  /** For `tester-link`: `1h`, `30m`, … */
  readonly ttl?: string;
  /** For `history`, `resume` and `abort`: one of them. */
  readonly rollout?: string | undefined;
}

/** `rollout <action>`. @throws UserError that names a wrong option */
export function rolloutWork(action: RolloutAction, options: RolloutOptions): RolloutWork {
  switch (action) {
    case "plan": {
      const request = requestOf(options);
      return (context) => resultOf("rollout plan", planCutover(context, request), planExit);
    }
    case "status": {
      const every = options.every === undefined ? {} : { everySeconds: parseEvery(options.every) };
      return (context) =>
        options.watch === true
          ? resultOf("rollout status --watch", watching(context, every), watchExit)
          : resultOf("rollout status", rolloutStatus(context), statusExit);
    }
    case "history": {
      const { rollout } = options;
      const last = countOf(options.last, 10, "rollout history --last 10");
      const read = (context: RolloutContext): Promise<RolloutHistory | RolloutDetail> =>
        rollout === undefined ? rolloutHistory(context, last) : rolloutDetail(context, rollout);
      return (context) => resultOf("rollout history", read(context), () => EXIT.ok);
    }
    case "resume":
      return (context) => resultOf("rollout resume", resume(context, options), rolloutExit);
    case "abort":
      return (context) => resultOf("rollout abort", abort(context, options), rolloutExit);
    case "pause":
      return (context) => resultOf("rollout pause", pause(context, options), rolloutExit);
    case "promote":
      return (context) => resultOf("rollout promote", promote(context, options), rolloutExit);
    case "tester-link": {
      const { slot = "idle", ttl = "1h" } = options;
      if (slot !== "idle" && !isSlot(slot))
        throw new UserError(
          "invalid-argument",
          "--slot",
          `"${slot}" is not idle, blue or green`,
          fix`${command("rollout tester-link --slot idle")}`,
        );
      const request = { slot, seconds: parseSeconds(ttl, "--ttl") } as const;
      return (context) => resultOf("rollout tester-link", testerLink(context, request), () => EXIT.ok);
    }
    case "finish": {
      const { drain, ...rest } = options;
      const seconds = drain === undefined ? {} : { drainSeconds: parseSeconds(drain, "--drain") };
      return (context) => resultOf("rollout finish", finish(context, { ...rest, ...seconds }), rolloutExit);
    }
  }
}

async function* watching(
  context: RolloutContext,
  every: { readonly everySeconds?: number },
): AsyncGenerator<CliEvent, WatchResult, void> {
  const events = watchRollout(context, every);
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
    yield next.value.type === "view" ? { ...next.value, verb: "rollout status --watch" } : next.value;
  }
}

function parseEvery(text: string): number {
  const seconds = parseSeconds(text, "--every");
  if (seconds >= 0.2) return seconds;
  throw new UserError(
    "invalid-argument",
    "--every",
    `"${text}" is too often`,
    fix`${command("rollout status --watch --every 1s")} (200ms or more)`,
  );
}
