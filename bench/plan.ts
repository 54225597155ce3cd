import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { preparePreviews } from "./support/previews.ts";
import { runProgram } from "../operations/docker/process.ts";

/**
 * Wall and CPU time of the judgement of a pull request: `./exai plan` compared with `pulumi preview` of the same two stacks with
 * the same pack, and with Checkov on their manifests if it is on PATH (`pip install checkov`). The best of several runs;
 * the runs alternate, so that a busy minute affects all of them.
 *
 *   node bench/plan.ts [runs]
 *
 * - cold: a fresh checkout after `npm ci`. Nothing of `.exai/cache`: neither the facts about the database nor compiled code.
 * - changed: the next push, whose migrations changed. Compiled code is there, the facts are not.
 * - same: the next push, whose migrations are those of the last.
 *
 * The previews are measured where `pulumi` is on PATH and EXAI_TEST_KUBECONFIG names the kubeconfig of a cluster for
 * tests: the provider asks its API server for its schema, and makes nothing.
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const runs = Number(process.argv[2] ?? 3);
const PREVIEW = "pulumi preview --policy-pack policies, staging, then prod";
const CHECKOV = "checkov, Kubernetes alone, on the manifests of staging and prod";

interface Case {
  readonly name: string;
  readonly command: readonly string[];
  /** Puts the machine into the state that is measured. */
  readonly prepare?: () => void;
}

const forget = (...caches: readonly string[]) => {
  for (const cache of caches) rmSync(`${ROOT}.exai/cache/${cache}`, { recursive: true, force: true });
};
const plan = (...stacks: readonly string[]) => ["./exai", "plan", ...stacks, "--out", "/dev/null"];
const both = plan("staging", "prod");
const cases: Case[] = [
  {
    name: "exai plan staging prod, cold",
    command: both,
    prepare: () => {
      forget("plan", "node");
    },
  },
  {
    name: "exai plan staging prod, changed",
    command: both,
    prepare: () => {
      forget("plan");
    },
  },
  { name: "exai plan staging prod, same", command: both },
  {
    name: "exai plan local, cold",
    command: plan("local"),
    prepare: () => {
      forget("plan", "node");
    },
  },
  { name: "exai plan local, same", command: plan("local") },
];
const previews = await preparePreviews(ROOT, ["staging", "prod"]);
if (previews !== undefined) cases.push({ name: PREVIEW, command: previews.command });
const manifests = mkdtempSync(join(tmpdir(), "exai-bench-plan-"));
process.on("exit", () => {
  rmSync(manifests, { recursive: true, force: true });
});
if (spawnSync("checkov", ["--version"]).status === 0) {
  for (const stack of ["staging", "prod"])
    spawnSync(join(ROOT, "exai"), ["synth", stack, "--out", join(manifests, stack)], { cwd: ROOT });
  cases.push({
    name: CHECKOV,
    command: ["checkov", "--directory", manifests, "--framework", "kubernetes", "--quiet", "--compact"],
  });
}

const results = new Map<string, Measured[]>(cases.map(({ name }) => [name, []]));
for (let run = 0; run < runs; run += 1)
  for (const { name, command, prepare } of cases) {
    prepare?.();
    results.get(name)?.push(await measured(command));
  }
await previews?.end();

const best = (name: string, of: "wall" | "cpu") => Math.min(...(results.get(name) ?? []).map((result) => result[of]));
console.log(`| what (best of ${runs}) | wall s | CPU s | exit |`);
console.log("| --- | ---: | ---: | ---: |");
for (const { name } of cases) {
  const exits = [...new Set(results.get(name)?.map(({ exit }) => exit))].join(", ");
  console.log(`| ${name} | ${best(name, "wall").toFixed(2)} | ${best(name, "cpu").toFixed(2)} | ${exits} |`);
}
for (const [peer, ours] of [
  [PREVIEW, "exai plan staging prod, cold"],
  [CHECKOV, "exai plan staging prod, cold"],
] as const)
  if (results.has(peer))
    console.log(
      `${peer} takes ${(best(peer, "wall") / best(ours, "wall")).toFixed(1)} times the wall time and ${(best(peer, "cpu") / best(ours, "cpu")).toFixed(1)} times the CPU time of ${ours}`,
    );

interface Measured {
  readonly wall: number;
  readonly cpu: number;
  readonly exit: number;
}

/** Runs a command under bash's `time`, which counts the CPU time of all its children. */
async function measured(command: readonly string[]): Promise<Measured> {
  const script = `TIMEFORMAT='%R %U %S'; time ${command.map((word) => `'${word}'`).join(" ")} >/dev/null 2>&1`;
  const ran = await runProgram("bash", ["-c", script], { cwd: ROOT });
  const [wall = NaN, user = NaN, system = NaN] = (ran.stderr.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  return { wall, cpu: user + system, exit: ran.code ?? -1 };
}
