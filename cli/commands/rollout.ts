import type { Overrides } from "../local/project.ts";
import type { RolloutOptions } from "../verbs/rollout.ts";
import { withOverrides, type Register } from "./command.ts";

interface Flags {
  readonly set?: Overrides;
  readonly stack: string;
}

interface CutoverFlags extends Flags {
  readonly image: string;
  readonly steps?: string;
  readonly hold?: string;
  readonly bake?: string;
  readonly standby?: string;
  readonly drain?: string;
  readonly approve?: boolean;
  readonly reason?: string;
}

/** cutover, rollback, rollout: the traffic between the two slots. */
export const registerRollout: Register = (program, run) => {
  withOverrides(
    program
      .command("cutover")
      .description("put an image into the idle slot and move the users to it, step by step")
      .requiredOption("--image <image>", "the release")
      .option("--steps <percentages>", "weights of the new release, ending in 100", "5,25,50,100")
      .option("--hold <time>", "how long each step is watched, e.g. 10s or 2m")
      .option("--bake <time>", "how long all traffic is watched after the last step")
      .option("--standby <time>", "how long the old release stays warm")
      .option("--drain <time>", "how long the idle slot's open connections may go on before it is deployed")
      .option("--approve", "wait for ./exai rollout promote before the new release gets all users")
      .option("--reason <text>", "for the history")
      .option("--stack <stack>", "stack", "local"),
  )
    .addHelpText(
      "after",
      `
Each step is judged by the router's own figures in Prometheus: errors, p95 and p99 of the new release, alone and beside
the old one over the same seconds. A step that fails takes all users back by itself (exit code 1). Ctrl-C, or a crash,
leaves a rollout that \`./exai rollout resume\` goes on with.

Example:
  ./exai cutover --image exai/reference-server:1.1.0 --steps 10,50,100 --hold 30s`,
    )
    .action(async (flags: CutoverFlags) => {
      const [{ cutoverVerb }, { withRollout }] = await Promise.all([
        import("../verbs/cutover.ts"),
        import("../rollout/open.ts"),
      ]);
      await run((signal) => withRollout({ ...flags, deploys: true }, signal, (context) => cutoverVerb(context, flags)));
    });

  withOverrides(
    program
      .command("rollback")
      .description("take the users back to the other slot, now")
      .option("--reason <text>", "for the history")
      .option("--keep-sessions", "leave MCP sessions and connections on the colour that is left", false)
      .option("--accept-schema", "go back although the schema has moved past the old release", false)
      .option("--stack <stack>", "stack", "local"),
  ).action(async (flags: Flags & { reason?: string; keepSessions: boolean; acceptSchema: boolean }) => {
    const [{ rollbackVerb }, { withRollout }] = await Promise.all([
      import("../verbs/rollback.ts"),
      import("../rollout/open.ts"),
    ]);
    await run((signal) => withRollout(flags, signal, (context) => rollbackVerb(context, flags)));
  });

  const rollout = program.command("rollout").description("the rollout under way, and those before it");
  const actions = {
    status: "where the rollout stands, and who holds it",
    history: "every rollout: who, when, why, images, verdicts",
    pause: "keep the rollout at its weights; its gates go on watching",
    resume: "go on with a rollout that is paused, or whose controller is gone",
    promote: "pass to the next step now, or approve the last one",
    abort: "take an unfinished rollout back",
    finish: "end the standby: drain and stop the old slot",
  } as const;
  const reasoned = ["pause", "promote", "abort", "finish"];
  for (const [action, description] of Object.entries(actions)) {
    const command = withOverrides(
      rollout.command(action).description(description).option("--stack <stack>", "stack", "local"),
    );
    if (action === "status")
      command
        .option("-w, --watch", "go on until the rollout ends, or Ctrl-C", false)
        .option("--every <time>", "how often to look", "1s");
    if (action === "history")
      command
        .argument("[rollout]", "one rollout with its steps and figures: its identifier, or how that begins or ends")
        .option("--last <count>", "newest rollouts to show");
    if (action === "promote") command.option("--full", "go on to all users", false);
    if (action === "finish") command.option("--drain <time>", "how long its open connections may go on");
    if (action === "abort")
      command.option("--keep-sessions", "leave MCP sessions and connections where they are", false);
    if (reasoned.includes(action)) command.option("--reason <text>", "for the history");
    command.action(async () => {
      const flags = { ...command.opts<Flags & RolloutOptions>(), rollout: command.args[0] };
      const [{ rolloutVerb }, { withRollout }] = await Promise.all([
        import("../verbs/rollout.ts"),
        import("../rollout/open.ts"),
      ]);
      const request = { ...flags, deploys: action === "resume" };
      await run((signal) => withRollout(request, signal, (context) => rolloutVerb(context, action, flags)));
    });
  }
};
