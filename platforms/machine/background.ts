import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/**
 * Starts a program with a seventieth of the usual weight. The priority of a process does not do that: Linux shares the processors first
 * between sessions (autogroups, `man 7 sched`) and control groups, as those of containers, so that a program under `nice -n 19` gets
 * as much as a container. What counts is the weight of its session. Without CAP_SYS_ADMIN, Linux takes one change of a weight in a
 * tenth of a second, for the whole machine.
 */
const START = `
for _ in 1 2 3; do
  [ -w /proc/self/autogroup ] || break
  { echo 19 >/proc/self/autogroup; } 2>/dev/null && break
  sleep 0.2
done
exec nice -n 19 "$@"`;

/**
 * Runs a program in a separate session that gets only what others leave of the processors. It may take any time.
 *
 * @param line receives each line of its output and of its standard error
 * @returns its exit code; 1 if a signal ended it
 * @throws the signal's reason, after all processes of the session's group were asked to end
 */
export async function runInBackground(
  [program, ...args]: readonly [string, ...string[]],
  { cwd, line, signal }: { readonly cwd: string; readonly line: (line: string) => void; readonly signal: AbortSignal },
): Promise<number> {
  signal.throwIfAborted();
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn("sh", ["-c", START, "sh", program, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a new session
  });
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
    } catch {
      // It has ended.
    }
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", line);
    const [code] = (await once(child, "close")) as [number | null];
    signal.throwIfAborted();
    return code ?? 1;
  } finally {
    signal.removeEventListener("abort", end);
  }
}
