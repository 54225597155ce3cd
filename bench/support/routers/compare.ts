import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startRolloutStack } from "../../../tests/support/rollout/stack.ts";
import { between, flipMilliseconds, markdown, quantileOf, shareOf } from "../figures.ts";
import { failures } from "../../../tests/support/load/http.ts";
import { clock } from "../../../tests/support/load/clock.ts";
import { LoadThread } from "../../../tests/support/load/thread.ts";
import type { LoadOptions } from "../../../tests/support/load/load.ts";
import { caddy } from "./caddy.ts";
import { backendsOf, envoyRouter } from "./envoy.ts";
import { haproxy } from "./haproxy.ts";
import { nginx } from "./nginx.ts";
import { MissingProgram } from "./programs.ts";
import type { Peer, Router } from "./router.ts";

const PEERS: readonly Peer[] = [haproxy, nginx, caddy];

/** Ours and the peers, in the order in which they run. */
export const ROUTERS = ["envoy", ...PEERS.map(({ name }) => name)];

/** Green's percentages of a round: a cutover, and its rollback. */
const STEPS = [5, 25, 50, 100, 0] as const;
const STEP_MS = 5000;

/** Weights are judged over at least so many requests, after the moments in which a change takes effect. */
const WEIGHT_SAMPLE = 500;
const SETTLED_MS = 500;

export interface Compared {
  readonly router: string;
  readonly how: string;
  readonly requests: number;
  readonly httpErrors: number;
  readonly webSocketsDropped: number;
  readonly webSocketsRefused: number;
  readonly messagesUnanswered: number;
  readonly mcpCalls: number;
  readonly mcpSessionsOnWrongSlot: number;
  readonly mcpFailed: number;
  readonly flips: readonly number[];
  readonly worstWeightError: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuSeconds: number;
  readonly memoryMegabytes: number;
  readonly processes: number;
  readonly generator: { readonly utilization: number; readonly late: { readonly p50: number; readonly p99: number } };
  readonly problems: readonly string[];
}

/**
 * The same load, the same two slots and the same changes of weights on each router, one after the other: what the router
 * itself costs its users. Gates and deployments are not part of it.
 *
 * @returns one result a router; a peer that is not here and cannot be installed is named on standard error.
 */
export async function compareRouters(
  names: readonly string[],
  rounds: number,
  load: Omit<LoadOptions, "routerUrl" | "webSocketUrl">,
): Promise<readonly Compared[]> {
  const stack = await startRolloutStack({ productIntervals: true });
  const results: Compared[] = [];
  try {
    for (const name of names) {
      const directory = await mkdtemp(join(tmpdir(), `bench-${name}-`));
      let router: Router | undefined;
      try {
        const peer = PEERS.find((each) => each.name === name);
        router = peer === undefined ? await envoyRouter(stack) : await peer.start(await backendsOf(stack), directory);
        process.stderr.write(`${router.title}: ${router.how}\n`);
        results.push(await measure(router, rounds, load));
      } catch (error) {
        if (!(error instanceof MissingProgram)) throw error;
        process.stderr.write(`left out: ${error.message}\n`);
      } finally {
        await router?.stop();
        await rm(directory, { recursive: true, force: true });
      }
      await sleep(3000); // the slots close what the last router left open
    }
  } finally {
    await stack.down();
  }
  return results;
}

async function measure(
  router: Router,
  rounds: number,
  options: Omit<LoadOptions, "routerUrl" | "webSocketUrl">,
): Promise<Compared> {
  const { routerUrl, webSocketUrl } = router;
  const thread = await LoadThread.start({ routerUrl, webSocketUrl, ...options });
  await sleep(2000);
  const before = await router.usage();
  const began = clock();
  const changes: { green: number; at: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const green of STEPS) {
      changes.push({ green, at: await router.shift(green) });
      await sleep(STEP_MS);
    }
  }
  const ended = clock();
  const after = await router.usage();
  const load = await thread.stop();
  const during = between(load, began, ended);
  const latencies = during.map(({ milliseconds }) => milliseconds);
  const steps = changes.map((change, index) => ({ ...change, until: changes[index + 1]?.at ?? ended }));
  const weights = steps.flatMap(({ green, at, until }) => {
    const requests = between(load, at + SETTLED_MS, until);
    return requests.length < WEIGHT_SAMPLE ? [] : [Math.abs(shareOf(requests, "green") - green)];
  });
  return {
    router: router.title,
    how: router.how,
    requests: during.length,
    httpErrors: failures(during).length,
    webSocketsDropped: load.webSockets.dropped.length + load.webSockets.restarted,
    webSocketsRefused: load.webSockets.refused.length,
    messagesUnanswered: load.webSockets.unanswered,
    mcpCalls: load.mcp.calls,
    mcpSessionsOnWrongSlot: load.mcp.sessionsOnWrongSlot,
    mcpFailed: load.mcp.failed.length + load.mcp.initialisedAgain,
    flips: steps
      .filter(({ green }) => green === 0 || green === 100)
      .map(({ green, at, until }) => flipMilliseconds(load, at, until, green === 0 ? "blue" : "green")),
    worstWeightError: Math.max(...weights),
    p50: quantileOf(latencies, 0.5),
    p99: quantileOf(latencies, 0.99),
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    memoryMegabytes: after.memoryBytes / 1e6,
    processes: after.processes,
    generator: load.generator,
    problems: [...load.webSockets.dropped, ...load.webSockets.refused, ...load.mcp.failed].slice(0, 5),
  };
}

/** The table, and beneath it how each router was configured. */
export function comparison(
  results: readonly Compared[],
  load: Omit<LoadOptions, "routerUrl" | "webSocketUrl">,
  rounds: number,
): string {
  const columns = [
    ...["router", "HTTP errors", "WebSockets dropped", "MCP sessions on the wrong slot", "MCP calls failed"],
    ...["flip, worst", "weights, worst error", "p50 / p99", "CPU", "memory, processes"],
  ];
  const rows = results.map((result) => [
    result.router,
    `${String(result.httpErrors)} of ${String(result.requests)}`,
    `${String(result.webSocketsDropped)} (${String(result.webSocketsRefused)} refused)`,
    String(result.mcpSessionsOnWrongSlot),
    `${String(result.mcpFailed)} of ${String(result.mcpCalls)}`,
    `${Math.max(...result.flips).toFixed(0)} ms`,
    `${result.worstWeightError.toFixed(1)} points`,
    `${result.p50.toFixed(1)} / ${result.p99.toFixed(1)} ms`,
    `${result.cpuSeconds.toFixed(1)} s`,
    `${result.memoryMegabytes.toFixed(0)} MB, ${String(result.processes)}`,
  ]);
  const seconds = (rounds * STEPS.length * STEP_MS) / 1000;
  const busy = Math.max(...results.map(({ generator }) => generator.utilization));
  const late = Math.max(...results.map(({ generator }) => generator.late.p99));
  return [
    markdown(columns, rows),
    "",
    `${String(load.requestsPerSecond)} requests/s, ${String(load.webSockets)} WebSockets, ${String(load.mcpSessions)} MCP sessions; weights of green ${STEPS.join(", ")} %, ${String(rounds)} times, ${String(STEP_MS / 1000)} s each: ${String(seconds)} s a router, on ${String(availableParallelism())} cores.`,
    `The load's own thread was busy for at most ${(busy * 100).toFixed(0)} % of the time; 99 % of its work began within ${late.toFixed(0)} ms of its time.`,
    "",
    ...results.map(({ router, how }) => `- ${router}: ${how}.`),
  ].join("\n");
}
