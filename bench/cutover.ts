/**
 * Cutovers and rollbacks under load: what users lose (nothing is allowed), how fast the flip is, whether the weights are
 * what was asked for, and what the router costs.
 *
 *   node bench/cutover.ts [--stack | --cluster] [--set key=value]… [--rounds 3] [--steps 5,25,50,100] [--hold 8] [--image IMAGE]
 *   node bench/cutover.ts --peers [--routers envoy,haproxy,nginx,caddy] [--rounds 2]
 *
 * The first runs our whole cutovers and rollbacks, with deployments and gates; on `--stack` and `--cluster` (of
 * EXAI_TEST_KUBECONFIG) the rollback is the command `./exai rollback` as one types it, timed from the start of its process. The
 * second puts the same load and the same weights on our router and on others, each with the same two slots behind it. Both
 * take `--json FILE`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { otherSlot, type Slot } from "../contract/slots.ts";
import type { Verb } from "../cli/events.ts";
import { LOCAL_IMAGES } from "../contract/images.ts";
import { SERVER_PATHS } from "../contract/server.ts";
import { collectOverrides } from "../cli/commands/command.ts";
import type { Overrides } from "../platforms/compose/project.ts";
import { DEFAULT_STEPS } from "../operations/rollout/model/plan.ts";
import { between, flipMilliseconds, markdown, quantileOf, shareOf } from "./support/figures.ts";
import { failures } from "../tests/support/load/http.ts";
import { clock } from "../tests/support/load/clock.ts";
import type { LoadReport } from "../tests/support/load/load.ts";
import { compareRouters, comparison, ROUTERS } from "./support/routers/compare.ts";
import { LoadThread } from "../tests/support/load/thread.ts";
import { chooseTarget, type Target } from "./support/target.ts";
import { cutover, rollback } from "../tests/support/rollout/verbs.ts";

const LOAD = {
  ...{ requestsPerSecond: 300, webSockets: 1000, mcpSessions: 200 },
  // A user says something every 4 s, a session calls a tool every second, and 5 users a second leave and come again.
  ...{ messageSeconds: 4, callSeconds: 1, renewalsPerSecond: 5 },
} as const;
/** Time that connections of an earlier round have to end before they are closed with 1012. */
const DRAIN_SECONDS = 10;
/** Weights are judged over at least so many requests. */
const WEIGHT_SAMPLE = 500;

/**
 * The load, the slots and the router share the cores of one machine, and what is measured is what users lose: latency is
 * reported and not judged.
 */
const GATES = {
  ...{ p95Milliseconds: 30_000, p99Milliseconds: 60_000, webSocketMilliseconds: 10_000 },
  // It would watch for half a minute longer.
  memoryGrowth: 0,
} as const;

const { values: args } = parseArgs({
  options: {
    stack: { type: "boolean", default: false },
    cluster: { type: "boolean", default: false },
    set: { type: "string", multiple: true, default: [] },
    peers: { type: "boolean", default: false },
    routers: { type: "string", default: ROUTERS.join(",") },
    rounds: { type: "string" },
    steps: { type: "string", default: DEFAULT_STEPS.join(",") },
    hold: { type: "string", default: "8" },
    image: { type: "string" },
    json: { type: "string" },
  },
});
const rounds = Number(args.rounds ?? (args.peers ? 2 : 3));

/** A change of the table, as the router's own and the controller saw it. */
interface Change {
  readonly round: number;
  readonly kind: "cutover" | "rollback";
  readonly candidate: Slot;
  /** The candidate's weight from here on. */
  readonly weight: number;
  /** When it began, milliseconds since 1970. */
  readonly at: number;
  /** When the router had it in force and had said so. */
  readonly inForceAt: number;
  /** When the verb was called. */
  readonly calledAt: number;
  readonly seconds?: number;
}

/**
 * When connections may be closed with 1012: from the deadline of a drain on, until its slot is deployed again; and by a
 * rollback, which sends the clients of the release that it leaves back to the other slot.
 */
type Closing = readonly [from: number, to: number];

await (args.peers ? peers() : cutovers());

async function peers(): Promise<void> {
  const results = await compareRouters(args.routers.split(","), rounds, LOAD);
  process.stdout.write(`${comparison(results, LOAD, rounds)}\n`);
  for (const { router, problems } of results) {
    for (const problem of problems) process.stderr.write(`${router}: ${problem}\n`);
  }
  await keep(results);
}

async function cutovers(): Promise<void> {
  const overrides = args.set.reduce<Overrides>((before, text) => collectOverrides(text, before), {});
  const kind = args.stack ? "stack" : args.cluster ? "cluster" : "containers";
  const target = await chooseTarget(kind, GATES, overrides);
  const changes: Change[] = [];
  const closings: Closing[] = [];
  try {
    const overhead = target.directUrl === undefined ? undefined : await routerOverhead(target, target.directUrl);
    const load = await LoadThread.start({ ...target.users, ...LOAD });
    const began = clock();
    for (let round = 1; round <= rounds; round += 1) changes.push(...(await oneRound(target, round, closings)));
    await sleep(2000);
    const ended = clock();
    await report(target, changes, await load.stop(), { began, ended, overhead, closings });
  } finally {
    await target.end();
  }
}

async function oneRound(target: Target, round: number, closings: Closing[]): Promise<readonly Change[]> {
  const { context } = target;
  const changes: Change[] = [];
  const stable: Slot = (await context.traffic.inForce())?.weights.green === 100 ? "green" : "blue";
  const candidate = otherSlot(stable);
  const calledAt = clock();
  const steps = args.steps.split(",").map(Number);
  const request = {
    image: args.image ?? target.image ?? LOCAL_IMAGES.referenceServer,
    steps,
    holdSeconds: Number(args.hold),
    bakeSeconds: 5,
    drainSeconds: DRAIN_SECONDS,
  };
  let closesAt = Infinity;
  const code = await watch(cutover(context, { ...request, reason: `bench ${String(round)}` }), async (id) => {
    if (id === "drain") closesAt = clock() + DRAIN_SECONDS * 1000;
    if (id === "ready") closings.push([closesAt, clock()]);
    const weight = /^shift-(\d+)$/.exec(id)?.[1];
    if (weight === undefined) return;
    const inForceAt = clock();
    changes.push({
      round,
      kind: "cutover",
      candidate,
      weight: Number(weight),
      at: await target.changedAt(),
      inForceAt,
      calledAt,
    });
  });
  if (code !== 0) throw new Error(`cutover ${String(round)} ended with exit code ${String(code)}`);
  await sleep(2000);
  const rollbackCalledAt = clock();
  await rollBack(target, `bench ${String(round)}`);
  const inForceAt = clock();
  closings.push([rollbackCalledAt, inForceAt]);
  const seconds = (inForceAt - rollbackCalledAt) / 1000;
  const at = await target.changedAt();
  changes.push({ round, kind: "rollback", candidate, weight: 0, at, inForceAt, calledAt: rollbackCalledAt, seconds });
  await sleep(2000);
  return changes;
}

/** By the command, where there is one: its start is part of what the on-call waits for. */
async function rollBack({ rollback: command, context }: Target, reason: string): Promise<void> {
  if (command === undefined) {
    await watch(rollback(context, { reason }), () => Promise.resolve());
    return;
  }
  const [program, ...words] = command;
  const child = spawn(program, [...words, "--reason", reason], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`${program} ${words.join(" ")} ended with exit code ${String(code)}`);
}

/** Runs a verb to its end; `started` receives every step that starts. */
async function watch(verb: Verb, started: (id: string) => Promise<void>): Promise<number> {
  for (;;) {
    const next = await verb.next();
    if (next.done === true) return next.value;
    const event = next.value;
    if (event.type === "step" && event.status === "started") {
      process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${event.title}: ${event.detail ?? ""}\n`);
      await started(event.id);
    }
    if (event.type === "step" && event.status === "failed") process.stderr.write(`failed: ${event.detail ?? ""}\n`);
  }
}

/** Latencies through the router and without it: alternating requests, so that both see the same machine. */
async function routerOverhead({ context }: Target, directUrl: string) {
  const times = { router: [] as number[], direct: [] as number[] };
  const urls = { router: context.routerUrl, direct: directUrl };
  for (let count = 0; count < 4000; count += 1) {
    const way = count % 2 === 0 ? "router" : "direct";
    const started = performance.now();
    const response = await fetch(new URL(SERVER_PATHS.dashboard, urls[way]));
    await response.arrayBuffer();
    // The first requests open connections and warm both up.
    if (count >= 400) times[way].push(performance.now() - started);
  }
  const of = (way: "router" | "direct", q: number): number => quantileOf(times[way], q);
  return {
    requests: times.router.length,
    p50: { router: of("router", 0.5), direct: of("direct", 0.5) },
    p99: { router: of("router", 0.99), direct: of("direct", 0.99) },
  };
}

async function report(
  target: Target,
  changes: readonly Change[],
  load: LoadReport,
  {
    began,
    ended,
    overhead,
    closings,
  }: {
    readonly began: number;
    readonly ended: number;
    readonly overhead: Awaited<ReturnType<typeof routerOverhead>> | undefined;
    readonly closings: readonly Closing[];
  },
): Promise<void> {
  const seconds = (ended - began) / 1000;
  const during = between(load, began, ended);
  const failed = failures(during);
  const latencies = during.map((record) => record.milliseconds);
  const weights = changes.flatMap((change, index) => {
    if (change.kind === "rollback" || change.weight === 100) return [];
    const requests = between(load, change.inForceAt + 5, (changes[index + 1]?.at ?? ended) - 5);
    return [
      {
        round: change.round,
        asked: change.weight,
        got: shareOf(requests, change.candidate),
        requests: requests.length,
      },
    ];
  });
  const judged = weights.filter((weight) => weight.requests >= WEIGHT_SAMPLE);
  const flips = changes
    .map((change, index) => ({ change, until: changes[index + 1]?.at ?? ended }))
    .filter(({ change }) => change.kind === "rollback" || change.weight === 100)
    .map(({ change, until }) => {
      const to = change.kind === "rollback" ? otherSlot(change.candidate) : change.candidate;
      const flip = flipMilliseconds(load, change.at, until, to);
      return {
        round: change.round,
        kind: change.kind,
        flip,
        sinceCommand: change.at + flip - change.calledAt,
        verb: change.seconds,
      };
    });
  const rollbacks = flips.filter((flip) => flip.kind === "rollback");
  const early = load.webSockets.restartedAt.filter((at) => !closings.some(([from, to]) => at >= from && at <= to));
  const result = {
    target: target.title,
    cores: availableParallelism(),
    machineLoad: loadavg()[0] ?? NaN,
    seconds: Math.round(seconds),
    rounds,
    requests: { count: during.length, perSecond: Math.round(during.length / seconds), failed: failed.length },
    latency: { p50: quantileOf(latencies, 0.5), p99: quantileOf(latencies, 0.99) },
    webSockets: {
      ...load.webSockets,
      restartedEarly: early.length,
      dropped: load.webSockets.dropped.length,
      refused: load.webSockets.refused.length,
      echoes: { p50: quantileOf(load.webSockets.echoes, 0.5), p99: quantileOf(load.webSockets.echoes, 0.99) },
    },
    mcp: { ...load.mcp, failed: load.mcp.failed.length },
    problems: [...load.webSockets.dropped, ...load.webSockets.refused, ...load.mcp.failed].slice(0, 20),
    weights,
    worstWeightError:
      judged.length === 0 ? undefined : Math.max(...judged.map(({ got, asked }) => Math.abs(got - asked))),
    flips,
    overhead,
    generator: load.generator,
  };
  const { echoes } = result.webSockets;
  const number = (value: number, digits = 1): string => value.toFixed(digits);
  const rows: [string, string | number][] = [
    [
      "load",
      `${String(result.requests.perSecond)} requests/s, ${String(LOAD.webSockets)} WebSockets, ${String(LOAD.mcpSessions)} MCP sessions, ${String(result.seconds)} s`,
    ],
    ["cutovers and rollbacks", `${String(result.rounds)} and ${String(result.rounds)}`],
    ["failed requests", `${String(failed.length)} of ${String(during.length)}`],
    [
      "WebSockets dropped",
      `${String(result.webSockets.dropped)} (${String(result.webSockets.restarted)} asked with 1012 to reconnect, ${String(early.length)} of them neither by a rollback nor after the drain deadline of ${String(DRAIN_SECONDS)} s, ${String(result.webSockets.refused)} refused, ${String(result.webSockets.messages)} messages)`,
    ],
    ["MCP calls on the wrong slot", `${String(result.mcp.wrongSlot)} of ${String(result.mcp.calls)}`],
    [
      "MCP calls failed",
      `${String(result.mcp.failed)} (${String(result.mcp.initialisedAgain)} sessions initialised again after 404)`,
    ],
    ["flip, wrong answers after the change", `at most ${number(Math.max(...flips.map((flip) => flip.flip)))} ms`],
    [
      `${target.rollback === undefined ? "rollback, call" : "`./exai rollback`, start of the process"} to last wrong answer`,
      `${rollbacks.map((flip) => number(flip.sinceCommand, 0)).join(", ")} ms`,
    ],
    [
      "weights, worst error",
      result.worstWeightError === undefined
        ? `not judged: no step below 100 % had ${String(WEIGHT_SAMPLE)} requests`
        : `${number(result.worstWeightError, 2)} points over ${String(judged.length)} steps of >= ${String(WEIGHT_SAMPLE)} requests`,
    ],
    ["echo of a WebSocket message", `p50 ${number(echoes.p50)} ms, p99 ${number(echoes.p99)} ms`],
    [
      "the load's own thread",
      `busy ${number(load.generator.utilization * 100, 0)} %, work begun late by ${number(load.generator.late.p50)} ms (p50), ${number(load.generator.late.p99)} ms (p99)`,
    ],
    ["latency under load", `p50 ${number(result.latency.p50)} ms, p99 ${number(result.latency.p99)} ms`],
  ];
  if (overhead !== undefined) {
    const added = (q: "p50" | "p99"): string =>
      `${number(overhead[q].router - overhead[q].direct, 2)} ms (${number(overhead[q].router, 2)} against ${number(overhead[q].direct, 2)})`;
    rows.push(["router adds, p50", added("p50")], ["router adds, p99", added("p99")]);
  }
  process.stdout.write(
    `${markdown(["cutover under load", `${result.target}, ${String(result.cores)} cores, load average ${number(result.machineLoad)}`], rows)}\n`,
  );
  for (const problem of result.problems) process.stderr.write(`problem: ${problem}\n`);
  await keep(result);
  const lost = failed.length + result.webSockets.dropped + early.length + result.mcp.wrongSlot + result.mcp.failed;
  process.exitCode = lost === 0 && (result.worstWeightError ?? 0) <= 5 ? 0 : 1;
}

/** Figures for later, where a file is named. */
async function keep(result: unknown): Promise<void> {
  if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify(result, undefined, 2)}\n`);
}
