import { spawn } from "node:child_process";
import { once } from "node:events";

/** How a program is run. */
export interface RunOptions {
  /** Written to standard input, which is closed after it. */
  readonly input?: string | Uint8Array;
  /** Ends the program with SIGTERM. */
  readonly signal?: AbortSignal;
  /** Ends the program after this long, in milliseconds. */
  readonly timeoutMs?: number;
  /** Ends the program when it has not written a word after this long, in milliseconds. */
  readonly firstWordMs?: number;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** What a program left behind. */
export interface Ran {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether `timeoutMs` or `firstWordMs` ended it. */
  readonly timedOut: boolean;
}

/** Time between SIGTERM and SIGKILL for a program that is ended, in milliseconds. */
const KILL_AFTER_MS = 5000;

/** Runs a program and returns its output and its exit code. Throws Node's error if it cannot be started (`ENOENT`). */
export async function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  options.signal?.throwIfAborted();
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
    clearTimeout(silence);
    chunks.push(chunk);
  };
  child.stdout.on("data", keep(stdout));
  child.stderr.on("data", keep(stderr));
  // A program that ends without reading its input breaks the pipe; its exit code shows the failure.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");

  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    killer ??= setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  };
  const endAfter = (milliseconds: number | undefined) =>
    milliseconds === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          end();
        }, milliseconds);
  const limit = endAfter(options.timeoutMs);
  const silence = endAfter(options.firstWordMs);
  options.signal?.addEventListener("abort", end, { once: true });
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return {
      code,
      stdout: Buffer.concat(stdout).toString("utf8"),
      stderr: Buffer.concat(stderr).toString("utf8"),
      timedOut,
    };
  } finally {
    clearTimeout(limit);
    clearTimeout(silence);
    clearTimeout(killer);
    options.signal?.removeEventListener("abort", end);
  }
}
