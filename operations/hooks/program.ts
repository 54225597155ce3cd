import { spawn } from "node:child_process";
import type { HookEnd } from "../../contract/hooks.ts";
import { kept } from "./answer.ts";
import type { CallBody } from "./call-body.ts";

/** Variables that every program gets. Others may hold credentials, so a hook names those that it needs. */
const PASSED = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** Bytes of its output that are held. */
const OUTPUT_BYTES = 4096;

/** Milliseconds between SIGTERM and SIGKILL, and that a pipe may stay open after the program's end. */
const KILL_MS = 2000;
const PIPE_MS = 200;

/** A program of a hook. */
export interface Program {
  readonly command: readonly string[];
  /** Names of further variables that it gets. */
  readonly environment: readonly string[];
  /** Its working directory. */
  readonly cwd: string;
}

/**
 * Runs a program without a shell, with the call on its standard input and in variables. It and all that it starts are one
 * process group, which is ended with it, at its time-out, and when the signal aborts.
 *
 * @throws the signal's reason
 */
export async function runProgram(
  { command: [file = "", ...args], environment, cwd }: Program,
  body: CallBody,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<Omit<HookEnd, "seconds">> {
  signal.throwIfAborted();
  const env = { ...inherited([...PASSED, ...environment]), ...variables(body) };
  const child = spawn(file, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
  let output = Buffer.alloc(0);
  for (const pipe of [child.stdout, child.stderr])
    pipe.on("data", (chunk: Buffer) => {
      output = Buffer.concat([output, chunk]).subarray(-OUTPUT_BYTES);
    });
  // A program that does not read its input breaks the pipe.
  child.stdin.on("error", () => undefined);
  child.stdin.end(`${JSON.stringify(body)}\n`);

  const closed = Promise.withResolvers<"closed">();
  child.on("close", () => {
    closed.resolve("closed");
  });
  const { promise: exited, resolve: exit } = Promise.withResolvers<HookExit>();
  child.on("error", (error: NodeJS.ErrnoException) => {
    exit({ error: error.code ?? error.message });
  });
  child.on("exit", (code, killedBy) => {
    exit({ code, killedBy });
  });
  const { promise: over, resolve: end } = Promise.withResolvers<"timeout" | "aborted">();
  const limit = setTimeout(end, timeoutSeconds * 1000, "timeout");
  const abort = (): void => {
    end("aborted");
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const first = await Promise.race([exited, over]);
    if (first === "timeout" || first === "aborted") {
      endGroup(child.pid, "SIGTERM");
      // A rollback does not wait for a program that ignores SIGTERM.
      const killing = setTimeout(endGroup, KILL_MS, child.pid, "SIGKILL");
      void exited.then(() => {
        clearTimeout(killing);
        endGroup(child.pid, "SIGKILL");
      });
      signal.throwIfAborted();
      return { outcome: "failed", why: "timeout", ...kept(output.toString("utf8"), "end") };
    }
    if ("error" in first) return { outcome: "failed", why: "not-started", ...kept(first.error, "start") };
    const pipe = setTimeout(closed.resolve, PIPE_MS, "closed");
    await closed.promise;
    clearTimeout(pipe);
    // What it leaves running must not outlive its result.
    endGroup(child.pid, "SIGKILL");
    const said = kept(output.toString("utf8"), "end");
    if (first.code === null)
      return {
        outcome: "failed",
        why: "refused",
        ...(said.answer === undefined ? { answer: String(first.killedBy) } : said),
      };
    const common = { status: first.code, ...said };
    return first.code === 0
      ? { outcome: "passed", why: "accepted", ...common }
      : { outcome: "failed", why: "refused", ...common };
  } finally {
    clearTimeout(limit);
    signal.removeEventListener("abort", abort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

type HookExit = { readonly error: string } | { readonly code: number | null; readonly killedBy: NodeJS.Signals | null };

function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended.
  }
}

function inherited(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The call for programs that read no JSON. */
function variables({ data }: CallBody): Record<string, string> {
  return {
    EXAI_HOOK: data.hook,
    EXAI_HOOK_ID: data.id,
    EXAI_HOOK_ATTEMPT: String(data.attempt),
    EXAI_HOOK_WHEN: data.when,
    EXAI_HOOK_STEP: data.step,
    EXAI_STACK: data.stack,
    EXAI_ROLLOUT: data.rollout,
    EXAI_CANDIDATE: data.candidate,
    EXAI_IMAGE: data.image,
    EXAI_WEIGHT: String(data.weight),
  };
}
