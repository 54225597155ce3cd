import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { runProgram, type Ran, type RunOptions } from "./process.ts";

/** Docker refused a command; `stderr` is what it said. */
export class DockerError extends Error {
  override readonly name = "DockerError";
  readonly args: readonly string[];
  readonly stderr: string;

  constructor(args: readonly string[], stderr: string) {
    super(`docker ${args.join(" ")}: ${stderr.trim() || "failed without a message"}`);
    this.args = args;
    this.stderr = stderr;
  }
}

/** What Docker's client says when its daemon does not answer or may not be used. */
const UNREACHABLE =
  /cannot connect to the docker daemon|permission denied while trying to connect|error during connect|is the docker daemon running/i;

function unreachable(problem: string, cause?: unknown): UserError {
  return new UserError(
    "unavailable",
    "docker",
    problem,
    fix`${command("doctor --install")}`,
    cause === undefined ? {} : { cause },
  );
}

/**
 * Runs `docker <args>` and returns its output and its exit code.
 *
 * Throws a `UserError` when the client is not installed or its daemon cannot be reached.
 */
export async function tryDocker(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  let ran: Ran;
  try {
    ran = await runProgram("docker", args, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw unreachable("the docker client is not installed", error);
  }
  if (ran.code !== 0 && UNREACHABLE.test(ran.stderr))
    throw unreachable(`the daemon cannot be reached: ${ran.stderr.trim().split("\n")[0] ?? ""}`);
  return ran;
}

/** Runs `docker <args>` and returns its standard output. Throws as {@link tryDocker}, and `DockerError` when it fails. */
export async function docker(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const ran = await tryDocker(args, options);
  options.signal?.throwIfAborted();
  if (ran.timedOut) throw new DockerError(args, `no answer within ${(options.timeoutMs ?? 0) / 1000} s`);
  if (ran.code !== 0) throw new DockerError(args, ran.stderr);
  return ran.stdout;
}

/** Labels of a local image; undefined when there is no such image. Throws as {@link docker}. */
export async function imageLabels(
  reference: string,
  options: RunOptions = {},
): Promise<Readonly<Record<string, string>> | undefined> {
  const args = ["image", "inspect", "--format", "{{json .Config.Labels}}", reference];
  const ran = await tryDocker(args, options);
  options.signal?.throwIfAborted();
  if (ran.code === 0) return (JSON.parse(ran.stdout) as Record<string, string> | null) ?? {};
  if (/no such image/i.test(ran.stderr)) return undefined;
  throw new DockerError(args, ran.stderr);
}
