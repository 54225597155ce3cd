import { spawn, type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

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
