/**
 * Uploads through the server in a container of 512 MB, with a real PostgreSQL, the local object store, and a provider that speaks the used
 * part of Kimi's API: memory at 5 and 10 uploads at once, the share that arrives at the provider with and without retries when
 * store and provider fail, and 200 clients on a pool that a lock holds,
 * with a short queue.
 *
 *   node bench/uploads.ts [--megabytes 64] [--faulty 60] [--failures 0.2] [--hold 5] [--queue 20]
 *     [--json FILE]
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { docker } from "../operations/docker/cli.ts";
import { applyMigrations } from "../operations/migrations/apply.ts";
import { buildReferenceServer } from "../operations/images/reference.ts";
import { startPostgresStack } from "../tests/support/postgres-stack.ts";
import { runOperation } from "../tests/support/verbs.ts";
import { markdown, quantileOf } from "./support/figures.ts";
import { user, Uploader } from "./support/uploads/client.ts";
import { startPeers } from "./support/uploads/peers.ts";
import { BenchServer } from "./support/uploads/server.ts";

const { values: args } = parseArgs({
  options: {
    megabytes: { type: "string", default: "64" },
    faulty: { type: "string", default: "60" },
    failures: { type: "string", default: "0.2" },
    hold: { type: "string", default: "5" },
    queue: { type: "string", default: "20" },
    json: { type: "string" },
  },
});
const USERS = 200;
const REQUESTS = 10;

const image = "exai/reference-server:bench-uploads";
const root = mkdtempSync(join(tmpdir(), "exai-bench-uploads-"));
const [stack] = await Promise.all([startPostgresStack(), buildReferenceServer({ tag: image })]);
const peers = await startPeers(root);
try {
  await runOperation(applyMigrations(stack.url));
  const accounts = Array.from({ length: USERS }, (_, index) => `('${user(index)}')`).join(",");
  await stack.sql(`insert into auth.users (id) values ${accounts}`);
  const start = (environment: Readonly<Record<string, string>> = {}) =>
    BenchServer.start(image, { ...peers.environment, EXAI_SERVER_DATABASE_URL: stack.serverUrl, ...environment });

  const memory = [];
  for (const count of [5, 10]) memory.push(await measureMemory(count));
  console.log(
    markdown(
      ["uploads at once", "MiB each", "s", "MiB/s", "server's memory, MiB", "killed for memory"],
      memory.map((row) => [
        ...[
          row.count,
          args.megabytes,
          row.seconds.toFixed(1),
          row.rate.toFixed(0),
          row.peak.toFixed(0),
          String(row.killed),
        ],
      ]),
    ),
  );

  const faults = [];
  for (const attempts of [1, 6]) faults.push(await measureFaults(attempts));
  console.log(
    markdown(
      ["tries", "uploads", "in the store", "at the provider", "share"],
      faults.map((row) => [row.attempts, row.uploads, row.stored, row.copied, `${(100 * row.share).toFixed(0)} %`]),
    ),
  );

  const pool = [];
  for (const interval of [1, undefined]) pool.push(await measurePool(interval));
  console.log(
    markdown(
      ["clients come back", "requests", "tries a request", "refused", "p50 ms", "p99 ms", "s in all"],
      pool.map((row) => [
        ...[row.way, row.requests, row.tries.toFixed(2), row.refused],
        ...[0.5, 0.99].map((q) => quantileOf(row.milliseconds, q).toFixed(0)),
        row.seconds.toFixed(1),
      ]),
    ),
  );
  if (args.json !== undefined) writeFileSync(args.json, JSON.stringify({ memory, faults, pool }, undefined, 2));

  async function measureMemory(count: number) {
    const server = await start();
    const watch = server.watchMemory();
    const bytes = randomBytes(Number(args.megabytes) * 1024 * 1024);
    const began = performance.now();
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const uploader = new Uploader(server.url, user(index));
        const location = await uploader.begin(bytes.length, "kimi");
        const status = await uploader.send(location, 0, bytes);
        if (status !== 204) throw new Error(`an upload ended with ${String(status)}`);
        await uploader.copied(location, 120);
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    const peak = (await watch()) / 1024 / 1024;
    const killed = await server.stop();
    return { count, seconds, rate: (count * Number(args.megabytes)) / seconds, peak, killed };
  }

  /** Each client sends its file once; what the server does not repeat has failed. */
  async function measureFaults(attempts: number) {
    const server = await start({ EXAI_UPLOAD_ATTEMPTS: String(attempts) });
    const bytes = randomBytes(1024 * 1024);
    const uploads = Number(args.faulty);
    let stored = 0;
    let copied = 0;
    peers.fail(Number(args.failures));
    const waiting = Array.from({ length: uploads }, (_, index) => index);
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
          const uploader = new Uploader(server.url, user(index));
          const location = await uploader.begin(bytes.length, "kimi");
          if ((await uploader.send(location, 0, bytes)) !== 204) continue;
          stored += 1;
          if (await uploader.copied(location, 60)) copied += 1;
        }
      }),
    );
    peers.fail(0);
    await server.stop();
    return { attempts, uploads, stored, copied, share: copied / uploads };
  }

  /** @param interval seconds after which a refused client comes back; undefined: those of `retry-after` */
  async function measurePool(interval: number | undefined) {
    const server = await start({ EXAI_DATABASE_QUEUE: args.queue });
    const holder = new pg.Client({ connectionString: stack.url });
    await holder.connect();
    await new Uploader(server.url, user(0)).read();
    await holder.query("begin; lock table public.rate_limit_buckets in access exclusive mode");
    setTimeout(() => void holder.query("commit"), Number(args.hold) * 1000);
    let tries = 0;
    const milliseconds: number[] = [];
    const began = performance.now();
    await Promise.all(
      Array.from({ length: USERS }, async (_, index) => {
        const client = new Uploader(server.url, user(index));
        for (let request = 0; request < REQUESTS; request += 1) {
          const asked = performance.now();
          const more = await client.readUntilAnswered(interval);
          tries += more;
          milliseconds.push(performance.now() - asked);
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    await holder.end();
    await server.stop();
    const requests = USERS * REQUESTS;
    const way = interval === undefined ? "at the time of retry-after" : `every ${String(interval)} s`;
    return { way, requests, tries: tries / requests, refused: tries - requests, milliseconds, seconds };
  }
} finally {
  peers.stop();
  await stack.down();
  await docker(["image", "rm", image]);
  rmSync(root, { recursive: true });
}
