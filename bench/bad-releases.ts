/**
 * Bad releases, each rolled out under load: whether the rollout rolls it back automatically, by which gate and from which
 * state, how long that takes, and what users experienced until then. And good ones in a row: how many are rolled back.
 *
 *   node bench/bad-releases.ts [--only TAG,TAG] [--good N] [--hold SECONDS] [--hogs N] [--json FILE]
 *
 * `--good N` rolls N good releases out instead of the bad ones. `--hogs N` keeps N other processes busy, as on a machine
 * that is overloaded.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Verb } from "../cli/events.ts";
import { failureText } from "../cli/format/failure.ts";
import { stepText } from "../cli/format/step.ts";
import type { Failure } from "../contract/failure.ts";
import { LOCAL_IMAGES } from "../contract/images.ts";
import { buildReferenceServer } from "../operations/images/reference.ts";
import { startRolloutStack, type RolloutStack } from "../tests/support/rollout/stack.ts";
import { between, markdown } from "./support/figures.ts";
import { failures } from "../tests/support/load/http.ts";
import { clock } from "../tests/support/load/clock.ts";
import type { LoadReport } from "../tests/support/load/load.ts";
import { LoadThread } from "../tests/support/load/thread.ts";
import { cutover } from "../tests/support/rollout/verbs.ts";

interface Release {
  readonly name: string;
  readonly tag: string;
  /** Faults of the image (images/reference-server); none: the release is good. */
  readonly faults: string;
}

const GOOD: Release = { name: "good", tag: "good", faults: "" };

const RELEASES: readonly Release[] = [
  { name: "20 % errors", tag: "bad-errors", faults: "errors=0.2" },
  { name: "3 % errors", tag: "bad-few-errors", faults: "errors=0.03" },
  // Blue has none at all: below the limit of 1 %, but worse than what it replaces.
  { name: "0.6 % errors, blue none", tag: "bad-fewest-errors", faults: "errors=0.006" },
  { name: "2 % take 2 s (p99)", tag: "bad-p99", faults: "latency=2000ms@0.02" },
  { name: "all 800 ms slower", tag: "bad-slow", faults: "latency=800ms" },
  { name: "WebSockets 300 ms slower", tag: "bad-ws-latency", faults: "ws-latency=300ms" },
  { name: "cuts WebSockets on 5 % of messages", tag: "bad-ws-drop", faults: "ws-drop=0.05" },
  { name: "refuses every fifth WebSocket", tag: "bad-ws-reject", faults: "ws-reject=0.2" },
  // What a wrong key or origin does: to the router's eye a client's own fault.
  {
    name: "refuses every fifth WebSocket with 403",
    tag: "bad-ws-forbid",
    faults: "ws-reject=0.2:403,sound-requests=50",
  },
  { name: "500 on every fifth stream", tag: "bad-streams", faults: "stream-errors=0.2,sound-requests=50" },
  { name: "refuses 5 % with 403", tag: "bad-refusals", faults: "refusals=0.05,sound-requests=50" },
  { name: "5 % are not found", tag: "bad-not-found", faults: "refusals=0.05:404,sound-requests=50" },
  { name: "leaks 1 MB/s", tag: "bad-leak", faults: "leak=1MB/s" },
  { name: "never ready", tag: "bad-never-ready", faults: "never-ready" },
  { name: "crashes after 5 s", tag: "bad-crash", faults: "crash-after=5s" },
  { name: "crashes after 15 s", tag: "bad-crash-later", faults: "crash-after=15s" },
  GOOD,
];

const LOAD = { requestsPerSecond: 200, webSockets: 20, mcpSessions: 10, renewalsPerSecond: 2 } as const;

/** Above this, a request counts as slow; milliseconds. */
const SLOW = 1000;

const { values: args } = parseArgs({
  options: {
    json: { type: "string" },
    only: { type: "string" },
    good: { type: "string" },
    hold: { type: "string", default: "10" },
    hogs: { type: "string", default: "0" },
  },
});

const chosen = args.only?.split(",");
const releases =
  args.good === undefined
    ? RELEASES.filter(({ tag }) => chosen?.includes(tag) !== false)
    : Array.from({ length: Number(args.good) }, (_, index) => ({ ...GOOD, name: `good ${String(index + 1)}` }));

interface Result {
  readonly release: Release;
  readonly code: number;
  readonly seconds: number;
  readonly from: string;
  /** Why it was rolled back; absent if it completed. */
  readonly failure?: Failure;
  readonly requests: number;
  readonly failed: number;
  readonly slow: number;
  readonly webSockets: { readonly opened: number; readonly dropped: number; readonly refused: number };
  readonly machineLoad: number;
}

/** Milliseconds between two lines about a step that lasts. */
const TELL_MS = 15_000;

/** Runs a verb and writes its steps for who watches. */
async function follow(verb: Verb, name: string): Promise<number> {
  let told = performance.now();
  for (;;) {
    const next = await verb.next();
    if (next.done === true) return next.value;
    if (next.value.type !== "step") continue;
    if (next.value.status !== "progress" || performance.now() - told > TELL_MS) {
      told = performance.now();
      process.stderr.write(`${name}: ${next.value.title} ${next.value.status} ${stepText(next.value)}\n`);
    }
  }
}

async function rollOut(stack: RolloutStack, release: Release): Promise<Result> {
  const image = `exai/reference-server:${release.tag}`;
  await buildReferenceServer({ tag: image, ...(release.faults === "" ? {} : { faults: release.faults }) });
  const context = stack.context({ deadlines: { readySeconds: 30 }, signal: stop.signal });
  const load = await LoadThread.start({ routerUrl: stack.routerUrl, webSocketUrl: stack.webSocketUrl, ...LOAD });
  const from = clock();
  const seconds = Number(args.hold);
  let [code, report]: [number, LoadReport | undefined] = [1, undefined];
  let to: number;
  try {
    const request = { image, holdSeconds: seconds, bakeSeconds: seconds, reason: release.name };
    code = await follow(cutover(context, request), release.name);
  } finally {
    to = clock();
    await sleep(1000);
    report = await load.stop();
  }
  const requests = between(report, from, to);
  const { ending } = (await context.journal.read())?.machine ?? {};
  return {
    release,
    code,
    seconds: (to - from) / 1000,
    from: code === 0 ? "" : (ending?.from ?? "?"),
    ...(code === 0 || ending?.failure === undefined ? {} : { failure: ending.failure }),
    requests: requests.length,
    failed: failures(requests).length,
    slow: requests.filter((record) => record.milliseconds > SLOW).length,
    webSockets: {
      opened: report.webSockets.opened,
      dropped: report.webSockets.dropped.length,
      refused: report.webSockets.refused.length,
    },
    machineLoad: loadavg()[0] ?? NaN,
  };
}

function row({ release, code, seconds, from, failure, requests, failed, slow, webSockets, machineLoad }: Result) {
  const share = (count: number): string => `${((100 * count) / requests).toFixed(3)} % (${count} of ${requests})`;
  return [
    release.name,
    code === 0 ? "completed" : `rolled back from ${from}`,
    gatesOf(failure),
    `${seconds.toFixed(1)} s`,
    share(failed),
    share(slow),
    `${webSockets.dropped} and ${webSockets.refused} of ${webSockets.opened}`,
    machineLoad.toFixed(0),
    failure === undefined ? "" : failureText(failure).slice(0, 160),
  ];
}

/** The gates that failed, or the code of another failure. */
function gatesOf(failure: Failure | undefined): string {
  if (failure?.code !== "gate-failed") return failure?.code ?? "";
  return failure.verdicts.map(({ gate }) => gate).join(", ");
}

const COLUMNS = ["release", "outcome", "gate", "in", "users' requests failed", `slower than ${SLOW} ms`] as const;

const results: Result[] = [];
// Ctrl-C ends the rollout that runs, takes the containers away and prints what was measured until then.
const stop = new AbortController();
process.once("SIGINT", () => {
  stop.abort();
});
const hogs: ChildProcess[] = [];
const stack = await startRolloutStack({ productIntervals: true });
try {
  for (let index = 0; index < Number(args.hogs); index += 1) {
    hogs.push(spawn(process.execPath, ["--eval", "for (;;);"], { stdio: "ignore" }));
  }
  for (const release of releases) {
    const result = await rollOut(stack, release);
    if (stop.signal.aborted) break;
    results.push(result);
  }
} finally {
  for (const hog of hogs) hog.kill("SIGKILL");
  await stack.down();
}
const surprises = results.filter(({ release, code }) => code !== (release.faults === "" ? 0 : 1));
const busy = hogs.length === 0 ? "" : `, ${String(hogs.length)} other busy processes`;
const columns = [...COLUMNS, "WebSockets dropped and refused", "machine's load", "why"];
process.stdout.write(
  `against ${LOCAL_IMAGES.referenceServer}, ${String(LOAD.requestsPerSecond)} requests/s, ${String(LOAD.webSockets)} WebSockets, hold ${args.hold} s${busy}\n\n` +
    `${markdown(columns, results.map(row))}\n\n${String(surprises.length)} of ${String(results.length)} ended otherwise than they should\n`,
);
if (args.json !== undefined) await writeFile(args.json, JSON.stringify(results, undefined, 2));
process.exitCode = surprises.length === 0 ? 0 : 1;
