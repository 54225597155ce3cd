import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { UserError } from "../contract/errors.ts";
import type { Fix } from "../contract/fix.ts";

/** A program that gets this process's terminal, or its pipes. */
export interface Session {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the environment. Passwords are here: every user of a machine sees arguments. */
  readonly env?: Readonly<Record<string, string>>;
  /** What installs the program. */
  readonly install: Fix;
}

/** A signal that is passed on. Ctrl-C is not: the terminal sends it to the program itself. */
const PASSED_ON = ["SIGTERM", "SIGHUP"] as const;

/**
 * Runs a session to its end.
 *
 * @returns the program's exit code, or 128 and the number of the signal that ended it, as a shell has it
 * @throws UserError `missing-tool` if the program is not installed
 */
export async function runSession({ program, args, env, install }: Session): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, ...env } });
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  const stay = (): void => undefined;
  process.on("SIGINT", stay);
  for (const signal of PASSED_ON) process.on(signal, passOn);
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new UserError("missing-tool", program, "is not installed on this machine", install, { cause: error });
  } finally {
    process.off("SIGINT", stay);
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
}
