/**
 * `node bench/cluster-rollback.ts [--rounds 5] [--rate 100]`: on the cluster of EXAI_TEST_KUBECONFIG, how long users still
 * hear the wrong colour after `./exai rollback` was typed, and whether anybody fails in cutovers and rollbacks under load.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { cutover } from "../operations/rollout/cutover.ts";
import { startClusterStack, type ClusterStack } from "../tests/support/cluster-stack.ts";
import { ClusterUsers } from "../tests/support/cluster-users.ts";
import { runVerb } from "../tests/support/rollout-stack.ts";
import { markdown } from "./support/figures.ts";

const { values: args } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, rate: { type: "string", default: "100" } },
});

/** What one rollback was like. Seconds, from the start of the command. */
interface Round {
  /** Until the last answer of the colour that was left. */
  readonly lastWrongAnswer: number;
  /** Until the command ended. */
  readonly command: number;
  readonly requests: number;
  readonly failed: number;
}

async function round(stack: ClusterStack): Promise<Round> {
  const opened = await stack.open();
  const users = new ClusterUsers(stack, Number(args.rate));
  try {
    const request = { image: stack.image, steps: [20, 100], holdSeconds: 1, bakeSeconds: 1, reason: "bench" };
    const { code } = await runVerb(cutover(opened.context, request));
    if (code !== 0) throw new Error("the cutover was taken back: the machine is too busy for its gates");
    const set = Object.entries(stack.settings).flatMap(([key, value]) =>
      /image$/i.test(key) ? [] : ["--set", `${key}=${value}`],
    );
    const typed = Date.now();
    const command = spawn(join(PROJECT_ROOT, "exai"), ["--plain", "rollback", "--stack", "staging", ...set], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    await once(command, "close");
    const ended = Date.now();
    await sleep(2000);
    await users.stop();
    const wrong = users.requests.filter(({ servedBy, startedAt }) => servedBy === "green" && startedAt >= typed);
    return {
      lastWrongAnswer: (Math.max(typed, ...wrong.map(({ startedAt }) => startedAt)) - typed) / 1000,
      command: (ended - typed) / 1000,
      requests: users.requests.length,
      failed: users.failed.length,
    };
  } finally {
    await users.stop();
    await opened.close();
  }
}

const kubeconfig = process.env.EXAI_TEST_KUBECONFIG;
if (kubeconfig === undefined) throw new Error("EXAI_TEST_KUBECONFIG names no kubeconfig");
const stack = await startClusterStack(kubeconfig);
try {
  const rounds: Round[] = [];
  for (let index = 0; index < Number(args.rounds); index += 1) rounds.push(await round(stack));
  const rows = rounds.map((each, index): [string, string] => [
    `round ${String(index + 1)}`,
    `${each.lastWrongAnswer.toFixed(2)} s; command ${each.command.toFixed(2)} s; ${String(each.failed)} of ${String(each.requests)} failed`,
  ]);
  const title = `${args.rate} requests/s, load average ${loadavg()[0]?.toFixed(1) ?? "?"}`;
  process.stdout.write(`${markdown(["./exai rollback to the last wrong answer", title], rows)}\n`);
} finally {
  await stack.down();
}
