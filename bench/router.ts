/**
 * Requests per second of one connection pool through our router and through others, each alone with one CPU.
 *
 *   node bench/router.ts [--before COMMIT] [--seconds 5] [--runs 3] [--connections 16] [--json FILE]
 *
 * `wrk -t1` sends GET /health by the container's address, without a published port. The server is the reference server. With
 * `--before`, our Envoy is also measured as that commit configured it. The runs of the routers alternate, so that all see the
 * same machine. On a machine with less than four cores, wrk, router and server share them: compare within one run. The CPU time
 * for each request depends least on the rest of the machine.
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { HTTP_PORT, SERVER_PATHS } from "../contract/server.ts";
import { buildReferenceServer } from "../operations/images/reference.ts";
import { markdown, rangeOf } from "./support/figures.ts";
import { usageOf } from "./support/routers/usage.ts";
import { Lab, type LabContainer } from "./support/lab/lab.ts";
import { bareEnvoy, buildPeers, haproxy, nginx, ourEnvoy, PEERS_IMAGE, type LabRouter } from "./support/lab/routers.ts";
import { measureWrk, type WrkResult } from "./support/lab/wrk.ts";

const SERVER_IMAGE = "exai/reference-server:bench";

const { values: args } = parseArgs({
  options: {
    before: { type: "string" },
    seconds: { type: "string", default: "5" },
    runs: { type: "string", default: "3" },
    connections: { type: "string", default: "16" },
    json: { type: "string" },
  },
});

const routers: readonly LabRouter[] = [
  ...(args.before === undefined ? [] : [ourEnvoy(args.before)]),
  ourEnvoy(),
  bareEnvoy,
  haproxy,
  nginx,
];

await buildReferenceServer({ tag: SERVER_IMAGE });
await buildPeers();
const lab = await Lab.open();
/** With CPU microseconds of the router, or of the server before which there is none, for each request. */
type Result = WrkResult & { readonly cpuMicroseconds: number };
const results = new Map<string, Result[]>();
try {
  const server = await lab.server("blue", SERVER_IMAGE);
  for (let run = 0; run < Number(args.runs); run += 1) {
    await measure("straight", server);
    for (const router of routers) {
      const container = await router.start(lab);
      await measure(router.name, container);
      await lab.remove(container);
    }
  }
} finally {
  await lab.close();
}

async function measure(name: string, container: LabContainer): Promise<void> {
  const url = `http://${container.address}:${String(HTTP_PORT)}${SERVER_PATHS.health}`;
  const seconds = Number(args.seconds);
  const pid = await lab.pid(container);
  await measureWrk(lab, PEERS_IMAGE, url, { connections: Number(args.connections), seconds: 1 });
  const before = await usageOf(pid);
  const wrk = await measureWrk(lab, PEERS_IMAGE, url, { connections: Number(args.connections), seconds });
  const after = await usageOf(pid);
  const cpuMicroseconds = ((after.cpuSeconds - before.cpuSeconds) * 1e6) / (wrk.perSecond * seconds);
  const result = { ...wrk, cpuMicroseconds };
  process.stderr.write(`${name}: ${wrk.perSecond.toFixed(0)}/s, ${cpuMicroseconds.toFixed(0)} µs\n`);
  results.set(name, [...(results.get(name) ?? []), result]);
}

const rows = [...results].map(([name, runs]) => {
  const of = (key: keyof Result, digits: number): string => {
    const values = runs.map((run) => run[key]);
    return rangeOf(digits, values);
  };
  return [name, of("perSecond", 0), of("p50", 2), of("p99", 1), of("cpuMicroseconds", 0), of("failed", 0)];
});
const columns = ["router", "requests/s", "p50 ms", "p99 ms", "CPU µs a request", "failed"];
const title = `${args.runs} runs of ${args.seconds} s, ${args.connections} connections, ${String(availableParallelism())} cores`;
process.stdout.write(`${title}\n\n${markdown(columns, rows)}\n`);
if (args.json !== undefined) await writeFile(args.json, JSON.stringify(Object.fromEntries(results), undefined, 2));
