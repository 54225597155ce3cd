/**
 * Users who reconnect in one moment, each with a dashboard's WebSocket and a GET: how many are answered, and when the last.
 *
 *   node bench/storm.ts [--users 1000,3000] [--runs 10] [--ways straight,envoy,haproxy] [--servers fast,slow] [--before COMMIT]
 *   node bench/storm.ts --rollback [--users 1000] [--runs 10] [--servers fast,slow]
 *   node bench/storm.ts --cluster [--users 1000] [--runs 10] [--servers fast,slow]
 *
 * The first sends them to a server, and to it through our Envoy and HAProxy, each with one CPU, in turn. The slow server needs
 * 5 ms of CPU for each connection: 3000 users cost it 30 s, so a user waits for up to `--patience` seconds (120). The second sends
 * them right after a rollback that has closed the WebSockets of as many users; the third to the Envoy Gateway of
 * EXAI_TEST_KUBECONFIG, by TLS. `--before` adds our Envoy as that commit configured it. All take `--json FILE`.
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { Verb } from "../cli/events.ts";
import { SLOTS } from "../contract/slots.ts";
import { HTTP_PORT, SERVER_PATHS } from "../contract/server.ts";
import { buildReferenceServer } from "../operations/images/reference.ts";
import { loadImage } from "../tests/support/kubernetes/images.ts";
import { slotImages, startKubernetesStack } from "../tests/support/kubernetes/stack.ts";
import { storm, type Storm, type StormOptions } from "../tests/support/load/storm.ts";
import { QUICK_CUTOVER, QUICK_GATES, startRolloutStack, until } from "../tests/support/rollout/stack.ts";
import { cutover, rollback } from "../tests/support/rollout/verbs.ts";
import { markdown, rangeOf } from "./support/figures.ts";
import { Lab, type LabContainer } from "./support/lab/lab.ts";
import { usageOf } from "./support/routers/usage.ts";
import { buildPeers, haproxy, ourEnvoy } from "./support/lab/routers.ts";

const { values: args } = parseArgs({
  options: {
    users: { type: "string" },
    runs: { type: "string", default: "10" },
    ways: { type: "string", default: "straight,envoy,haproxy" },
    servers: { type: "string", default: "fast,slow" },
    before: { type: "string" },
    patience: { type: "string", default: "120" },
    rollback: { type: "boolean", default: false },
    cluster: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const sizes = (args.users ?? (args.rollback || args.cluster ? "1000" : "1000,3000")).split(",").map(Number);
const runs = Number(args.runs);

/** Servers by their speed, with the faults that make it. */
const FAULTS: Readonly<Record<string, string>> = { fast: "", slow: "connection-cpu=5ms" };
const servers = args.servers.split(",").map((speed) => ({ speed, faults: FAULTS[speed] ?? "" }));

/** One storm. */
interface Result {
  readonly way: string;
  readonly speed: string;
  readonly users: number;
  readonly webSockets: number;
  readonly requests: number;
  readonly lost: Readonly<Record<string, number>>;
  /** Seconds to the last answer. */
  readonly last: number;
}
const results: Result[] = [];

for (const server of servers) {
  if (args.rollback) await afterRollback(server.speed, server.faults);
  else if (args.cluster) await onCluster(server.speed, server.faults);
  else await inTurn(server.speed, server.faults);
}
report();
if (args.json !== undefined) await writeFile(args.json, JSON.stringify(results, undefined, 2));

async function inTurn(speed: string, faults: string): Promise<void> {
  const image = await serverImage("");
  await buildPeers();
  const routers = { envoy: ourEnvoy(), haproxy };
  const lab = await Lab.open();
  try {
    const server = await lab.server("blue", image, faults);
    const places: { way: string; at: LabContainer }[] = [];
    for (const way of args.ways.split(",")) {
      if (way === "straight") places.push({ way, at: server });
      if (way === "envoy" || way === "haproxy") places.push({ way, at: await routers[way].start(lab) });
    }
    if (args.before !== undefined) places.push({ way: args.before, at: await ourEnvoy(args.before).start(lab) });
    for (const users of sizes) {
      for (let run = 0; run < runs; run += 1) {
        for (const { way, at } of places) {
          const sent = await send({ host: at.address, port: HTTP_PORT, users }, { way, speed });
          const { memoryBytes } = await usageOf(await lab.pid(at));
          process.stderr.write(`${way}: ${(memoryBytes / 2 ** 20).toFixed(0)} MiB with the WebSockets open\n`);
          sent.end();
        }
      }
    }
  } finally {
    await lab.close();
  }
}

async function afterRollback(speed: string, faults: string): Promise<void> {
  const image = await serverImage(faults);
  const stack = await startRolloutStack({ image });
  try {
    const context = stack.context({ gates: QUICK_GATES });
    const { hostname: host, port } = new URL(stack.routerUrl);
    for (const users of sizes) {
      for (let run = 0; run < runs; run += 1) {
        await finished(cutover(context, { ...QUICK_CUTOVER, drainSeconds: 1, image, reason: "bench" }));
        const before = await send({ host, port: Number(port), users }, { way: "before the rollback", speed });
        await finished(rollback(context, { reason: "bench" }));
        process.stderr.write(`closed: ${JSON.stringify(await before.closed)}\n`);
        (await send({ host, port: Number(port), users }, { way: "after the rollback", speed })).end();
      }
    }
  } finally {
    await stack.down();
  }
}

async function onCluster(speed: string, faults: string): Promise<void> {
  const kubeconfig = process.env.EXAI_TEST_KUBECONFIG;
  if (kubeconfig === undefined) throw new Error("EXAI_TEST_KUBECONFIG names no kubeconfig");
  const image = await serverImage(faults);
  loadImage(image);
  const stack = await startKubernetesStack(kubeconfig);
  try {
    for (const slot of SLOTS) await slotImages(stack.cluster).put(slot, image, AbortSignal.timeout(60_000));
    const opened = await stack.open();
    try {
      await until("both slots ready", 120, async () => {
        const ready = await opened.context.traffic.readiness();
        return ready.blue && ready.green;
      });
    } finally {
      await opened.close();
    }
    const { address: host, hostname } = stack;
    for (const users of sizes) {
      for (let run = 0; run < runs; run += 1) {
        (await send({ host, hostname, port: 443, tls: true, users }, { way: "Envoy Gateway", speed })).end();
      }
    }
  } finally {
    await stack.down();
  }
}

/** The reference server, with the faults. */
async function serverImage(faults: string): Promise<string> {
  const tag = `exai/reference-server:bench${faults === "" ? "" : "-slow"}`;
  await buildReferenceServer({ tag, faults });
  return tag;
}

async function send(
  to: Pick<StormOptions, "host" | "port" | "hostname" | "tls" | "users">,
  about: Pick<Result, "way" | "speed">,
): Promise<Storm> {
  const sent = await storm({
    ...to,
    webSocketPath: SERVER_PATHS.dashboardWebSocket,
    path: SERVER_PATHS.health,
    patienceSeconds: Number(args.patience),
  });
  const { webSockets, requests } = sent;
  const lost: Record<string, number> = {};
  for (const [reason, count] of [...Object.entries(webSockets.lost), ...Object.entries(requests.lost)])
    lost[reason] = (lost[reason] ?? 0) + count;
  results.push({
    ...about,
    users: to.users,
    webSockets: webSockets.answered,
    requests: requests.answered,
    lost,
    last: Math.max(webSockets.seconds.at(-1) ?? 0, requests.seconds.at(-1) ?? 0),
  });
  process.stderr.write(`${JSON.stringify(results.at(-1))}\n`);
  return sent;
}

/** Runs a verb to its end. @throws Error if its exit code is not 0. */
async function finished(verb: Verb): Promise<void> {
  for (;;) {
    const next = await verb.next();
    if (next.done !== true) continue;
    if (next.value !== 0) throw new Error(`the verb ended with exit code ${String(next.value)}`);
    return;
  }
}

function report(): void {
  const groups = Map.groupBy(results, ({ way, speed, users }) => `${way}\n${speed}\n${String(users)}`);
  const rows = [...groups].map(([key, group]) => {
    const of = (key: "webSockets" | "requests" | "last"): number[] => group.map((result) => result[key]);
    const reasons = [...new Set(group.flatMap(({ lost }) => Object.keys(lost)))];
    const [webSockets, requests, last] = [
      rangeOf(0, of("webSockets")),
      rangeOf(0, of("requests")),
      rangeOf(1, of("last")),
    ];
    return [...key.split("\n"), String(group.length), webSockets, requests, reasons.join(", ") || "-", last];
  });
  const columns = ["way", "server", "users", "runs", "WebSockets", "requests", "instead", "last answer, s"];
  process.stdout.write(`${String(availableParallelism())} cores\n\n${markdown(columns, rows)}\n`);
}
