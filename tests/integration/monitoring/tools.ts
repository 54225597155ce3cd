import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** Debian's packages of the programs that these tests run. */
const PACKAGES = {
  promtool: "prometheus",
  prometheus: "prometheus",
  amtool: "prometheus-alertmanager",
  "prometheus-alertmanager": "prometheus-alertmanager",
} as const;

/**
 * Why a test cannot run here; false when it can. In CI a missing program is a failure: a check that looked at nothing
 * must not pass.
 */
export function missing(...programs: (keyof typeof PACKAGES)[]): string | false {
  const absent = programs.filter((program) => !isInstalled(program));
  if (absent.length === 0) return false;
  const packages = [...new Set(absent.map((program) => PACKAGES[program]))].join(" ");
  const reason = `${absent.join(" and ")} not found; mend: ./exai doctor --install, or apt-get install ${packages}`;
  if (process.env.CI === "true") throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}

function isInstalled(program: string): boolean {
  try {
    execFileSync("sh", ["-c", 'command -v "$0"', program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A program that runs until {@link Daemon.stop}. */
export interface Daemon {
  stop(): Promise<void>;
}

/** Starts a program and waits until `readyUrl` answers 200. @throws Error with its output where it does not in 30 s */
export async function startDaemon(program: string, args: readonly string[], readyUrl: string): Promise<Daemon> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline && child.exitCode === null) {
    const ok = await fetch(readyUrl).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ok) return { stop: () => ended(child) };
    await sleep(100);
  }
  await ended(child);
  throw new Error(`${program} did not become ready:\n${output}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exit;
  clearTimeout(killer);
}
