/**
 * What other writers feel of a migration that waits behind a long transaction: each writer inserts a row every 100 ms, and the
 * migration adds a column to their table, by psql and by `migrate apply`.
 *
 *   node bench/locks.ts --url postgres://… [--hold 30] [--lock-timeout 3] [--writers 8] [--json FILE]
 *
 * The database is one for the purpose: its schema exai_bench_locks and the history of the Supabase CLI are replaced.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { applyMigrations } from "../operations/migrations/apply.ts";
import { markdown, quantileOf } from "./support/figures.ts";

const { values: args } = parseArgs({
  options: {
    url: { type: "string" },
    hold: { type: "string", default: "30" },
    "lock-timeout": { type: "string", default: "3" },
    writers: { type: "string", default: "8" },
    json: { type: "string" },
  },
});
const url = args.url ?? "";
const [hold, timeoutSeconds, writers] = [Number(args.hold), Number(args["lock-timeout"]), Number(args.writers)];
const CHANGE = "alter table exai_bench_locks.rows add column note text;";

const root = mkdtempSync(join(tmpdir(), "exai-bench-locks-"));
mkdirSync(join(root, "supabase/migrations"), { recursive: true });
writeFileSync(join(root, "supabase/migrations/20260101000000_note.sql"), `${CHANGE}\n`);

const results = [
  await measure("plain psql", async () => {
    const psql = spawn("psql", [url, "--no-psqlrc", "--quiet", "--command", CHANGE], { stdio: "inherit" });
    await once(psql, "close");
  }),
  await measure(`migrate apply, lock time-out ${timeoutSeconds} s`, async () => {
    const locks = { timeoutSeconds, deadlineSeconds: hold + 60 };
    for await (const event of applyMigrations(url, { root, locks }))
      if (event.type === "step" && event.blockers !== undefined) console.error(JSON.stringify(event.blockers));
  }),
];
rmSync(root, { recursive: true });
console.log(
  markdown(
    ["way", "rows", "p50 ms", "p99 ms", "longest ms", "applied after s"],
    results.map(({ way, waits, applied }) => [
      ...[way, waits.length, ...[0.5, 0.99, 1].map((q) => quantileOf(waits, q).toFixed(0)), applied.toFixed(1)],
    ]),
  ),
);
if (args.json !== undefined) writeFileSync(args.json, JSON.stringify(results, undefined, 2));

/** Milliseconds of each insert from when it was due, so that a writer that is kept waiting counts all that it did not write. */
async function measure(way: string, migrate: () => Promise<void>) {
  const owner = await connected();
  await owner.query(`drop schema if exists exai_bench_locks, supabase_migrations cascade; create schema exai_bench_locks;
    create table exai_bench_locks.rows (id bigint generated always as identity, at timestamptz default now())`);
  const holder = await connected();
  await holder.query("begin; insert into exai_bench_locks.rows default values");
  const waits: number[] = [];
  const stop = new AbortController();
  const writing = Array.from({ length: writers }, async () => {
    const client = await connected();
    for (let due = performance.now(); !stop.signal.aborted; due += 100) {
      await sleep(Math.max(0, due - performance.now()));
      await client.query("insert into exai_bench_locks.rows default values");
      waits.push(performance.now() - due);
    }
    await client.end();
  });
  const began = performance.now();
  const released = sleep(hold * 1000).then(() => holder.query("commit"));
  await sleep(1000);
  await migrate();
  const applied = (performance.now() - began) / 1000;
  await released;
  await sleep(1000);
  stop.abort();
  await Promise.all([...writing, holder.end(), owner.end()]);
  return { way, waits, applied };
}

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}
