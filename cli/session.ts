import { UserError } from "../contract/errors.ts";
import { fix } from "../contract/fix.ts";
import { runSession, type Session } from "../operations/session.ts";
import { errorEvents } from "./errors.ts";
import { fail, rendererFor, type RenderOptions } from "./run.ts";

/**
 * Gives the terminal, or the pipes, to another program, and sets its exit code.
 *
 * @param open gets whether both ends are a terminal
 */
export async function session(options: RenderOptions, open: (terminal: boolean) => Promise<Session>): Promise<void> {
  try {
    if (options.json === true)
      throw new UserError("invalid-argument", "--json", "cannot change what another program prints", fix`leave it out`);
    process.exitCode = await runSession(await open(process.stdin.isTTY && process.stdout.isTTY));
  } catch (error) {
    process.exitCode = fail(errorEvents(error), rendererFor(options));
  }
}
