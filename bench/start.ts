/**
 * How long commands take from the start of the process, for two checkouts in one run: before and after a change. Their runs
 * alternate, so that both see the same machine.
 *
 *   node bench/start.ts --before <checkout> [--after <checkout>] [--runs 15] [--stacks [--rollbacks 8]] [--json FILE]
 *
 * `--stacks` brings up a local stack of each checkout, on free ports, and also measures `status`, `rollout status` and the time
 * from the start of `./exai rollback` to the last answer of the release that it leaves. The stacks are removed afterwards, also
 * after Ctrl-C. This needs `node_modules` in both checkouts, Docker, and a machine that does nothing else: 5 minutes with
 * `--runs 7 --rollbacks 3`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { LOCAL_IMAGES } from "../contract/images.ts";
import { HEADERS, SERVER_PATHS } from "../contract/server.ts";
import { docker } from "../operations/docker/cli.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { freePortSettings } from "../tests/support/free-ports.ts";
import { markdown, quantileOf } from "./support/figures.ts";

const { values: args } = parseArgs({
  options: {
    before: { type: "string" },
    after: { type: "string", default: PROJECT_ROOT },
    runs: { type: "string", default: "15" },
    stacks: { type: "boolean", default: false },
    rollbacks: { type: "string", default: "8" },
    json: { type: "string" },
  },
});

/** Settings of a stack that gates do not fail on a busy machine. */
const PATIENT = { gateP95: "60000", gateP99: "60000", gateWebSocket: "30000" } as const;

/** The image of `up` under another name: a cutover to the users' own image is refused. */
const RELEASE = "exai/reference-server:bench-start";

/** Milliseconds of one run: on the clock, and of the processor. */
interface Sample {
  readonly wall: number;
  readonly processor: number;
}

/** One checkout, and the settings of its stack. */
interface Side {
  readonly name: "before" | "after";
  readonly root: string;
  readonly settings: readonly string[];
  readonly url: string;
  readonly samples: Map<string, Sample[]>;
}

const sides: Side[] = [];
for (const name of ["before", "after"] as const) {
  const root = args[name];
  if (root !== undefined) sides.push(await sideOf(name, resolve(root)));
}
// Ends the command that runs, and with it the bench, which then removes the stacks.
let running: number | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    if (running !== undefined) process.kill(-running, "SIGTERM");
  });
try {
  if (args.stacks) {
    for (const side of sides) await exai(side, "up", ...side.settings);
    await docker(["tag", LOCAL_IMAGES.referenceServer, RELEASE]);
  }
  const cases: (readonly string[])[] = [["--help"], ["plan", "prod"]];
  if (args.stacks) cases.push(["status"], ["rollout", "status"]);
  for (const words of cases) await alternate(words, Number(args.runs));
  if (args.stacks)
    for (let round = 0; round < Number(args.rollbacks); round += 1)
      for (const side of sides) add(side, "rollback", await rollback(side, round));
} finally {
  if (args.stacks) for (const side of sides) await exai(side, "down", "--volumes", "--yes", ...side.settings);
}
await report();

async function sideOf(name: Side["name"], root: string): Promise<Side> {
  const instance = `exai-start-${name}`;
  const ports = await freePortSettings();
  const settings = {
    instance,
    homeDirectory: join(".exai", instance),
    ...PATIENT,
    ...ports,
  };
  return {
    name,
    root,
    settings: Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]),
    url: `http://127.0.0.1:${String(ports.httpPort)}${SERVER_PATHS.dashboard}`,
    samples: new Map(),
  };
}

/** Runs a command of each side in turn; the first run of each is not counted, since it may build a bundle and fill caches. */
async function alternate(words: readonly string[], runs: number): Promise<void> {
  const settings = words[0] === "status" || words[0] === "rollout";
  for (let run = 0; run <= runs; run += 1)
    for (const side of sides) {
      const sample = await exai(side, ...words, ...(settings ? side.settings : []));
      if (run > 0) add(side, words.join(" "), sample);
    }
}

/** Runs `./exai`, timed by bash, which knows the time of the processor. @throws Error with its output if it fails */
async function exai(side: Side, ...words: readonly string[]): Promise<Sample> {
  const folder = await mkdtemp(join(tmpdir(), "exai-bench-start-"));
  try {
    const script = 'TIMEFORMAT="%3R %3U %3S"; time "$@" > "$0/output" 2>&1';
    const child = spawn("bash", ["-c", script, folder, join(side.root, "exai"), ...words], {
      cwd: side.root,
      detached: true, // its own group, which a signal ends as a whole
    });
    running = child.pid;
    let timing = "";
    child.stderr.on("data", (chunk: Buffer) => (timing += chunk.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    // 1: `plan` has found violations, or `status` a service that is not healthy yet.
    if (code !== 0 && !(code === 1 && ["plan", "status"].includes(words[0] ?? "")))
      throw new Error(`${side.name}: exai ${words.join(" ")} ended with ${String(code)}; see ${folder}/output`);
    const [wall = 0, user = 0, system = 0] = timing.trim().split(" ").map(Number);
    await rm(folder, { recursive: true });
    return { wall: wall * 1000, processor: (user + system) * 1000 };
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    throw error;
  }
}

/** A cutover without watching, then a typed rollback while a user asks every few milliseconds. */
async function rollback(side: Side, round: number): Promise<Sample> {
  const plan = ["--steps", "100", "--hold", "1s", "--bake", "1s", "--drain", "1s"];
  await exai(side, "cutover", "--image", RELEASE, ...plan, ...side.settings);
  const left = await servedBy(side);
  let lastWrong = performance.now();
  const began = lastWrong;
  const user = { leaves: false };
  const asking = (async () => {
    while (!user.leaves) {
      const asked = performance.now();
      if ((await servedBy(side)) === left) lastWrong = performance.now();
      await sleep(Math.max(0, 5 - (performance.now() - asked)));
    }
  })();
  const { processor } = await exai(side, "rollback", "--reason", `bench ${String(round)}`, ...side.settings);
  await sleep(200);
  user.leaves = true;
  await asking;
  return { wall: lastWrong - began, processor };
}

async function servedBy({ url }: Side): Promise<string | null> {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.headers.get(HEADERS.servedBy);
}

function add({ samples }: Side, name: string, sample: Sample): void {
  samples.set(name, [...(samples.get(name) ?? []), sample]);
}

async function report(): Promise<void> {
  const names = [...(sides[0]?.samples.keys() ?? [])];
  const median = (side: Side, name: string, kind: keyof Sample): number =>
    quantileOf(
      (side.samples.get(name) ?? []).map((sample) => sample[kind]),
      0.5,
    );
  const rows = names.flatMap((name) =>
    (["wall", "processor"] as const).map((kind) => {
      const medians = sides.map((side) => median(side, name, kind));
      const [before = NaN, after] = medians;
      const label = name === "rollback" && kind === "wall" ? "rollback, last wrong answer" : `${name}, ${kind}`;
      return [
        label,
        ...medians.map((value) => `${value.toFixed(0)} ms`),
        ...(after === undefined ? [] : [(after / before).toFixed(2)]),
      ];
    }),
  );
  const title = `start, median of ${args.runs}; ${String(availableParallelism())} cores, load average ${(loadavg()[0] ?? NaN).toFixed(1)}`;
  const columns = [title, ...sides.map(({ name }) => name), ...(sides.length > 1 ? ["after/before"] : [])];
  process.stdout.write(`${markdown(columns, rows)}\n`);
  if (args.json !== undefined)
    await writeFile(
      args.json,
      `${JSON.stringify(Object.fromEntries(sides.map(({ name, samples }) => [name, Object.fromEntries(samples)])), undefined, 2)}\n`,
    );
}
