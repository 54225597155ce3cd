import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Wall and CPU time of the judgement of a pull request: `./exai plan` without and with its cache, beside
 * `pulumi preview` with the same pack, where the CLI and a stack are at hand, and beside Checkov on the manifests of the
 * same two stacks, where it is on PATH (`pip install checkov`).
 *
 *   node bench/plan.ts [runs]
 *
 * The preview is measured where `pulumi` is on PATH and PULUMI_BACKEND_URL names a backend with a stack `local`.
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const runs = Number(process.argv[2] ?? 3);

interface Case {
  readonly name: string;
  readonly command: readonly string[];
  /** Puts the machine into the state that is measured. */
  readonly prepare?: () => void;
}

const forget = () => {
  rmSync(`${ROOT}.exai/cache/plan`, { recursive: true, force: true });
};
const cases: Case[] = [
  { name: "exai plan prod, cold", command: ["./exai", "plan", "prod", "--out", "/dev/null"], prepare: forget },
  { name: "exai plan prod, same migrations as before", command: ["./exai", "plan", "prod", "--out", "/dev/null"] },
  {
    name: "exai plan staging prod, cold",
    command: ["./exai", "plan", "staging", "prod", "--out", "/dev/null"],
    prepare: forget,
  },
  { name: "exai plan local, same migrations as before", command: ["./exai", "plan", "local", "--out", "/dev/null"] },
];
if (spawnSync("pulumi", ["stack", "select", "local"], { cwd: ROOT }).status === 0)
  cases.push({
    name: "pulumi preview local --policy-pack policies",
    command: ["pulumi", "preview", "--stack", "local", "--policy-pack", "policies", "--non-interactive"],
  });
const manifests = mkdtempSync(join(tmpdir(), "exai-bench-plan-"));
process.on("exit", () => {
  rmSync(manifests, { recursive: true, force: true });
});
if (spawnSync("checkov", ["--version"]).status === 0) {
  for (const stack of ["staging", "prod"])
    spawnSync(join(ROOT, "exai"), ["synth", stack, "--out", join(manifests, stack)], { cwd: ROOT });
  cases.push({
    name: "checkov, Kubernetes alone, on the manifests of staging and prod",
    command: ["checkov", "--directory", manifests, "--framework", "kubernetes", "--quiet", "--compact"],
  });
}

console.log(`| what (best of ${runs}) | wall s | CPU s | exit |`);
console.log("| --- | ---: | ---: | ---: |");
for (const { name, command, prepare } of cases) {
  const results = Array.from({ length: runs }, () => {
    prepare?.();
    return measured(command);
  });
  const best = results.reduce((a, b) => (b.wall < a.wall ? b : a));
  console.log(
    `| ${name} | ${best.wall.toFixed(2)} | ${Math.min(...results.map(({ cpu }) => cpu)).toFixed(2)} | ${best.exit} |`,
  );
}

/** Runs a command under bash's `time`, which counts the CPU time of all its children. */
function measured(command: readonly string[]): { wall: number; cpu: number; exit: number } {
  const script = `TIMEFORMAT='%R %U %S'; time ${command.map((word) => `'${word}'`).join(" ")} >/dev/null 2>&1`;
  const result = spawnSync("bash", ["-c", script], { cwd: ROOT, encoding: "utf8" });
  const [wall = NaN, user = NaN, system = NaN] = (result.stderr.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  return { wall, cpu: user + system, exit: result.status ?? -1 };
}
