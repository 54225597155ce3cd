import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { userName } from "../../contract/machine/user.ts";
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

/** What Docker's client says when its daemon does not answer. */
const UNREACHABLE = /cannot connect to the docker daemon|error during connect|is the docker daemon running/i;

/** What Docker's client says when the user has no access to the daemon's socket. */
const FORBIDDEN = /permission denied while trying to connect/i;

/** What gives a user access to Docker's socket. The group counts from the next login on. */
export const DOCKER_ACCESS = fix`sudo usermod -aG docker "$USER", then log in again (or: newgrp docker); or run the command with sudo`;

function unreachable(problem: string, cause?: unknown): UserError {
  return new UserError(
    "unavailable",
    "docker",
    problem,
    // Only root can install and start Docker.
    process.getuid?.() === 0 ? fix`${command("doctor --install")}` : fix`sudo ${command("doctor --install")}`,
    cause === undefined ? {} : { cause },
  );
}

/** The error of a client that has no access to its daemon; undefined if its message says something else. */
export function forbidden(stderr: string): UserError | undefined {
  if (!FORBIDDEN.test(stderr)) return undefined;
  const socket = /unix:\/\/(\/[^\s:]+)/.exec(stderr)?.[1] ?? "/var/run/docker.sock";
  const problem = `${userName()} has no access to Docker's socket ${socket}`;
  return new UserError("permission-denied", "docker", problem, DOCKER_ACCESS);
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
  const denied = ran.code === 0 ? undefined : forbidden(ran.stderr);
  if (denied !== undefined) throw denied;
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
