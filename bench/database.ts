/**
 * A branch of a database with data, compared with what PostgreSQL itself offers: how long it takes until a copy can be used, until its change is
 * merged, and until it is gone; what the database writes and which sessions it ends for it; and how long 10,000 operations take to be
 * replayed on both. The data are in a database without
 * sessions, since `create database … template` waits for these.
 *
 *   node bench/database.ts [--megabytes 1024] [--rounds 3] [--json FILE]
 *
 * It brings up a separate local stack and takes it down. Times of branches are those of the commands as one types them, from the start of
 * their process; the merge is the operation without the start of its process, on a separate copy of supabase/migrations.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import type { Branches } from "../operations/branches/lifecycle.ts";
import { mergeBranch } from "../operations/branches/merge/merge.ts";
import { shadowBranch, type BranchShadow } from "../operations/branches/shadow/shadow.ts";
import { docker, tryDocker } from "../operations/docker/cli.ts";
import { runProgram } from "../operations/docker/process.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { openStack } from "../platforms/stack.ts";
import { MainWatch } from "../tests/support/database/main-wal.ts";
import { conversations } from "../tests/support/database/workload.ts";
import { LocalInstance } from "../tests/support/local-instance.ts";
import { runOperation } from "../tests/support/verbs.ts";
import { markdown, quantileOf } from "./support/figures.ts";

const { values: args } = parseArgs({
  options: {
    megabytes: { type: "string", default: "1024" },
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
  },
});
const [megabytes, rounds] = [Number(args.megabytes), Number(args.rounds)];

const USER = "00000000-0000-4000-8000-000000000001";

/** Seconds of each round, by step of the operation where it has some. */
type What = "create" | "merge" | "delete";
const times: Record<string, Record<What, number[]>> = {};
const steps: Record<string, number[]> = {};

const stack = await LocalInstance.create("bench-database");
const root = mkdtempSync(join(tmpdir(), "exai-bench-database-"));
cpSync(join(PROJECT_ROOT, "supabase"), join(root, "supabase"), { recursive: true });
/** What one branch made main write, in records of the WAL, and the sessions it ended. */
let written = NaN;
let ended = NaN;
let shadowed: BranchShadow | undefined;
try {
  await stack.events(["up"], { grafana: "false" });
  const { main: mainUrl } = await openBranches();
  const main = new pg.Client(mainUrl);
  await main.connect();
  const watch = new MainWatch(main, stack.name);
  await fill(mainUrl, main);
  await stack.events(["backup", "now", "--kind", "full"]);

  await timed("branch, first", "create", () => commanded("branch create", "first"));
  for (let round = 0; round < rounds; round += 1) {
    await spareFollows(main);
    const name = `round-${String(round)}`;
    const create = () => timed("branch, warm spare", "create", () => commanded("branch create", name));
    if (round > 0) await create();
    else
      await watch.whileQuiet(async () => {
        const [from, known] = [await watch.position(), await watch.sessions()];
        await create();
        await spareFollows(main);
        written = (await watch.writtenAfter(from)).length;
        ended = Number((await watch.sessions()).ended) - Number(known.ended);
      });
    await spareFollows(main);
    if (round === 0) shadowed = await shadow(await openBranches(), name, main);
    const url = await (await openBranches()).host.url(name);
    await runSql(url, `alter table public.files add column bench_${String(round)} text`);
    await timed("branch, warm spare", "merge", async () => merge(await openBranches(), name));
    await timed("branch, warm spare", "delete", () => commanded("branch delete", name));

    const template = "create database … template";
    await timed(template, "create", () => main.query("create database bench_copy template bench strategy file_copy"));
    await timed(template, "delete", () => main.query("drop database bench_copy"));

    const dump = "pg_dump, pg_restore";
    await main.query("create database bench_copy");
    const pipe = "pg_dump --format=custom --compress=0 bench | pg_restore --dbname=bench_copy";
    await timed(dump, "create", () => inPostgres(new URL(mainUrl).password, pipe));
    await timed(dump, "delete", () => main.query("drop database bench_copy"));
  }
  await main.end();
} finally {
  await stack.remove();
  rmSync(root, { recursive: true });
}
const median = (values: readonly number[]) => (values.length === 0 ? "-" : quantileOf(values, 0.5).toFixed(2));
console.log(`\n${String(megabytes)} MB, median of ${String(rounds)} rounds, seconds\n`);
console.log(
  markdown(
    ["way", "create", "merge", "delete"],
    Object.entries(times).map(([way, each]) => [way, median(each.create), median(each.merge), median(each.delete)]),
  ),
);
console.log(
  `\nrecords in main's WAL for a branch: ${String(written)}; sessions of main that it ended: ${String(ended)}\n`,
);
console.log(
  markdown(
    ["step with the warm spare", "seconds"],
    Object.entries(steps).map(([step, values]) => [step, median(values)]),
  ),
);
if (shadowed !== undefined) {
  const { operations, different, seconds } = shadowed;
  console.log(
    `\n${String(operations)} operations replayed on both in ${seconds.toFixed(1)} s, ${String(different)} different`,
  );
}
if (args.json !== undefined)
  writeFileSync(args.json, JSON.stringify({ megabytes, times, steps, written, ended, shadowed }, undefined, 2));

function openBranches(): Promise<Branches> {
  const settings = { instance: stack.name, homeDirectory: join(".exai", stack.name), ...stack.ports };
  const texts = Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, String(value)]));
  return openStack("local", texts).branches({ signal: new AbortController().signal });
}

/** The disk has written what was done before: no way is measured with the gigabytes of another one. */
async function timed(way: string, what: What, work: () => Promise<unknown>): Promise<void> {
  await runProgram("sync", []);
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  (times[way] ??= { create: [], merge: [], delete: [] })[what].push(seconds);
  console.error(`${way}: ${what} ${seconds.toFixed(2)} s`);
}

/** Runs a command as one types it, and keeps the times of its steps. */
async function commanded(verb: string, name: string): Promise<void> {
  for (const event of await stack.events([...verb.split(" "), name])) keep(verb, event);
}

/** Replays 10,000 operations of a user on main and on the branch. */
async function shadow(branches: Branches, name: string, main: pg.Client): Promise<BranchShadow> {
  await main.query(`insert into auth.users (id) values ('${USER}')`);
  await runSql(await branches.host.url(name), `insert into auth.users (id) values ('${USER}')`);
  const workload = join(root, "workload.jsonl");
  writeFileSync(workload, conversations(USER, 2500).join("\n"));
  return (await runOperation(shadowBranch(branches, name, { workload }))).result;
}

async function runSql(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(sql);
  await client.end();
}

async function merge(branches: Branches, name: string): Promise<void> {
  const merging = mergeBranch(branches, name, { root });
  for (;;) {
    const next = await merging.next();
    if (next.done === true) {
      if (next.value.outcome === "applied") return;
      throw new Error(`the merge ended as ${next.value.outcome}`);
    }
    keep("branch merge", next.value);
  }
}

function keep(verb: string, event: object): void {
  const { id, status, seconds } = event as { id?: string; status?: string; seconds?: number };
  if (id !== undefined && status === "done" && seconds !== undefined) (steps[`${verb}: ${id}`] ??= []).push(seconds);
}

/** Rows that do not compress to nothing, in a separate database. */
async function fill(url: string, main: pg.Client): Promise<void> {
  await main.query("create database bench");
  const address = new URL(url);
  address.pathname = "/bench";
  const client = new pg.Client(address.href);
  await client.connect();
  await client.query("create extension pgcrypto; create table rows (id int primary key, body text)");
  // 960 hexadecimal digits: a row takes about 1 KB.
  await client.query(
    "insert into rows select i, encode(gen_random_bytes(480), 'hex') from generate_series(1, $1) as i",
    [megabytes * 1024],
  );
  const { rows } = await client.query<{ size: string }>("select pg_size_pretty(pg_database_size('bench')) as size");
  console.error(`the database has ${rows[0]?.size ?? ""}`);
  await client.end();
}

/** Waits for a spare that has all of main: the other ways have just written gigabytes, which it replays while it follows. */
async function spareFollows(main: pg.Client): Promise<void> {
  const { rows } = await main.query<{ at: string }>("select pg_current_wal_flush_lsn() as at");
  const asked = `select pg_last_wal_replay_lsn() >= '${rows[0]?.at ?? ""}'`;
  const psql = `psql -XqAt -h /tmp/branches -p "$(cat /var/lib/exai-branches/spare/port)" postgres -c "$0"`;
  const test = ["exec", `${stack.name}-branches`, "sh", "-c", psql, asked];
  while ((await tryDocker(test)).stdout.trim() !== "t") await sleep(1000);
}

/** The password is in the environment of the shell alone. */
async function inPostgres(password: string, script: string): Promise<void> {
  const line = `read -r PGPASSWORD; export PGPASSWORD PGUSER=postgres PGHOST=/run/postgresql; ${script}`;
  await docker(["exec", "--interactive", `${stack.name}-postgres`, "bash", "-c", line], { input: `${password}\n` });
}
