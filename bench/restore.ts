/**
 * What a loss costs: numbered rows are written without pause, PostgreSQL is killed with SIGKILL, or its volume is lost as well, and the
 * rows that were acknowledged are compared with those that are there afterwards. Each lost volume is restored in place, with the proof
 * and the first backup that `./exai restore --in-place` makes. Then a table is dropped under the same load, and its rows are brought back
 * without the time of the statement.
 *
 *   node bench/restore.ts [--megabytes 1024] [--rounds 5] [--seconds 45] [--writers 4] [--json FILE]
 *
 * It starts a separate database and removes it. Rows that were lost, if any, are younger than the last segment that the archive got.
 */
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { requestBackup } from "../operations/backups/request.ts";
import { docker } from "../operations/docker/cli.ts";
import { applyMigrations } from "../operations/migrations/apply.ts";
import { restoreInPlace } from "../operations/restore/in-place.ts";
import { restoreScratch } from "../operations/restore/restore.ts";
import { dropAllScratch, volumesOf } from "../operations/restore/scratch.ts";
import type { Operation, ProgressEvent } from "../contract/events.ts";
import { firstBackup, healthy, startPostgresStack } from "../tests/support/postgres-stack.ts";
import { restoreSite } from "../tests/support/restore-site.ts";
import { markdown, quantileOf, rangeOf } from "./support/figures.ts";

const { values: args } = parseArgs({
  options: {
    megabytes: { type: "string", default: "1024" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "45" },
    writers: { type: "string", default: "4" },
    json: { type: "string" },
  },
});
const [megabytes, rounds, seconds] = [args.megabytes, args.rounds, args.seconds].map(Number) as [
  number,
  number,
  number,
];

/** One loss, in seconds and rows. */
interface Loss {
  readonly loss: "process" | "volume";
  readonly acknowledged: number;
  readonly lost: number;
  /** Age of the last restored row at the moment of the loss; 0 if no row is lost. */
  readonly rpo: number;
  /** From the loss until a row can be written. */
  readonly rto: number;
  readonly fetch?: number;
  readonly replay?: number;
  readonly proof?: number;
}

const stack = await startPostgresStack();
try {
  await ended(applyMigrations(stack.url));
  await stack.startRunner();
  await firstBackup(stack);
  await stack.sql(`
    create table public.bench_rows (writer uuid, number bigint, at timestamptz default clock_timestamp());
    create schema bench;
    create extension pgcrypto schema bench;
    create table public.bench_filler (id bigint generated always as identity primary key, bytes bytea);
    alter table public.bench_filler alter column bytes set storage external;
    insert into public.bench_filler (bytes)
      select string_agg(bench.gen_random_bytes(1024), '') from generate_series(1, ${megabytes} * 32) as row, generate_series(1, 32) group by row;
    drop schema bench cascade`);
  await ended(requestBackup(stack.url, { kind: "full" }));
  const size = await stack.sql("select pg_database_size('postgres') / 1048576");
  console.error(`a database of ${size.trim()} MiB`);
  const losses: Loss[] = [];
  for (let round = 1; round <= rounds; round += 1)
    for (const loss of ["process", "volume"] as const) {
      losses.push(await lose(loss));
      console.error(JSON.stringify(losses.at(-1)));
    }
  const dropped = await drop();
  report(losses, dropped);
  if (args.json !== undefined) writeFileSync(args.json, JSON.stringify({ losses, dropped }, undefined, 2));
} finally {
  await stack.down();
}

/** Loses the process or the volume under write load, and counts what is there afterwards. */
async function lose(loss: Loss["loss"]): Promise<Loss> {
  const writing = writeRows();
  await sleep(seconds * 1000);
  await docker(["kill", stack.postgres, ...(loss === "volume" ? [stack.runner] : [])]);
  const [lostAt, clock] = [Date.now(), performance.now()];
  const acknowledged = await writing.end();
  const split = loss === "volume" ? await restoreVolume() : await startAgain();
  const restored = new Set(
    (await stack.sql("select writer || ' ' || number from public.bench_rows")).trim().split("\n"),
  );
  const kept = [...acknowledged].flatMap(([row, at]) => (restored.has(row) ? [at] : []));
  const lost = acknowledged.size - kept.length;
  // If none is there, at least all since the first.
  const last = kept.length === 0 ? Math.min(...acknowledged.values()) : Math.max(...kept);
  const rpo = lost === 0 ? 0 : (lostAt - last) / 1000;
  const { servedAt, ...rest } = split;
  return { loss, acknowledged: acknowledged.size, lost, rpo, rto: (servedAt - clock) / 1000, ...rest };
}

/** When it serves, on the clock of `performance`, and what a restore was busy with. */
type Split = Pick<Loss, "fetch" | "replay" | "proof"> & { readonly servedAt: number };

async function startAgain(): Promise<Split> {
  await docker(["start", stack.postgres]);
  await healthy(stack.postgres);
  return { servedAt: performance.now() };
}

async function restoreVolume(): Promise<Split> {
  const volume = `${volumesOf(stack.name).data}:/lost`;
  await docker(["run", "--rm", "--volume", volume, "--entrypoint", "sh", stack.image, "-c", "rm -r /lost/*"]);
  let servedAt = Number.NaN;
  const work = restoreInPlace(restoreSite(stack), { target: { kind: "latest" }, backup: false, proof: true });
  const result = await ended(work, (event) => {
    if (event.type === "step" && event.id === "open" && event.status === "done") servedAt = performance.now();
  });
  if (result.outcome !== "restored-in-place") throw new Error(`the restore ended as ${result.outcome}`);
  const { fetchSeconds: fetch, replaySeconds: replay, proofSeconds: proof } = result;
  return { servedAt, fetch, replay, proof };
}

/** Drops a table under write load, and restores to the moment before without its time. */
async function drop(): Promise<Drop> {
  const writing = writeRows();
  await stack.sql("create table public.bench_dropped as select id from generate_series(1, 10000) as id");
  await sleep((seconds * 1000) / 2);
  const last = Number(await stack.sql("insert into public.bench_dropped values (10001) returning id"));
  await stack.sql("drop table public.bench_dropped");
  await sleep((seconds * 1000) / 2);
  await writing.end();
  const clock = performance.now();
  // As inexact as a person's "at about half past two".
  const target = { kind: "before", at: new Date(Date.now() + 7 * 60_000), withinMinutes: 15 } as const;
  const result = await ended(
    restoreScratch(
      { stack: "local", instance: stack.name, ...stack },
      { target, name: "bench", tables: [], pause: false },
    ),
  );
  const foundIn = (performance.now() - clock) / 1000;
  if (result.outcome !== "restored") throw new Error("several statements match");
  const query = ["psql", "-XqAt", "-c", "select count(*) from public.bench_dropped"];
  const rows = Number(await docker(["exec", result.container, ...query]));
  await dropAllScratch(stack.name);
  return { rows, of: last, seconds: foundIn };
}

/** Rows that were brought back, of how many, and how long that took. */
interface Drop {
  readonly rows: number;
  readonly of: number;
  readonly seconds: number;
}

/** Writers that each insert one row after the other; `end` waits for them, and returns when the server acknowledged each row. */
function writeRows(): { end(): Promise<ReadonlyMap<string, number>> } {
  const acknowledged = new Map<string, number>();
  const stop = new AbortController();
  const writing = Array.from({ length: Number(args.writers) }, async () => {
    const client = new pg.Client({ connectionString: stack.url });
    client.on("error", () => undefined); // the loss
    await client.connect();
    const writer = randomUUID();
    try {
      for (let number = 1; !stop.signal.aborted; number += 1) {
        await client.query("insert into public.bench_rows values ($1, $2)", [writer, number]);
        acknowledged.set(`${writer} ${String(number)}`, Date.now());
        await sleep(5);
      }
    } catch {
      // What is not acknowledged does not count.
    }
    await client.end().catch(() => undefined);
  });
  return {
    end: async () => {
      stop.abort();
      await Promise.all(writing);
      return acknowledged;
    },
  };
}

function report(losses: readonly Loss[], { rows, of, seconds: took }: Drop): void {
  const ways = (["process", "volume"] as const)
    .map((loss) => losses.filter((each) => each.loss === loss))
    .filter((each) => each.length > 0);
  const times = (of: readonly Loss[], key: "rto" | "fetch" | "replay" | "proof") => {
    const values = of.flatMap((each) => each[key] ?? []);
    return values.length === 0 ? "" : `${quantileOf(values, 0.5).toFixed(1)} (${rangeOf(1, values)})`;
  };
  console.log(
    markdown(
      ["loss of the", "rounds", "acknowledged", "lost", "RPO s", "RTO s", "files s", "replay s", "proof s"],
      ways.map((each) => [
        ...[each[0]?.loss ?? "", each.length, each.reduce((sum, { acknowledged }) => sum + acknowledged, 0)],
        ...[
          each.reduce((sum, { lost }) => sum + lost, 0),
          rangeOf(
            1,
            each.map(({ rpo }) => rpo),
          ),
        ],
        ...(["rto", "fetch", "replay", "proof"] as const).map((key) => times(each, key)),
      ]),
    ),
  );
  console.log(`\nbefore a DROP TABLE: ${rows} of ${of} rows, in ${took.toFixed(1)} s`);
}

/** Runs an operation to its end. */
async function ended<Result>(work: Operation<Result>, see: (event: ProgressEvent) => void = () => undefined) {
  for (;;) {
    const { done, value } = await work.next();
    if (done === true) return value;
    see(value);
  }
}
