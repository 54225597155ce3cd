import { EXIT, UserError, UserErrors, type ExitCode } from "../contract/errors.ts";
import type { Verb } from "../contract/events.ts";
import { jsonRenderer } from "./render/json.ts";
import { plainRenderer } from "./render/plain.ts";
import type { Renderer } from "./render/renderer.ts";
import { ttyRenderer } from "./render/tty.ts";

/** How a verb's events are shown. */
export interface RenderOptions {
  /** NDJSON. */
  readonly json?: boolean;
  /** Plain lines, even on a terminal. */
  readonly plain?: boolean;
}

/**
 * Runs a verb to its end and returns the exit code.
 *
 * The first Ctrl-C ends the generator where it stands, so that its `finally` blocks run and the state stays resumable;
 * the second ends the process.
 */
export async function run(verb: (signal: AbortSignal) => Verb, options: RenderOptions): Promise<ExitCode> {
  const renderer = rendererFor(options);
  const abort = new AbortController();
  const interrupt = () => {
    if (abort.signal.aborted) process.exit(EXIT.interrupted);
    abort.abort(new Error("interrupted"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    const events = verb(abort.signal);
    for (;;) {
      const { done, value } = await events.next();
      if (done === true) return value as ExitCode;
      renderer.show(value);
    }
  } catch (error) {
    if (abort.signal.aborted) {
      renderer.fail(
        "interrupted; nothing is lost: run the same command again, or `./exai rollout resume` in a rollout",
      );
      return EXIT.interrupted;
    }
    return report(error, renderer);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    renderer.close();
  }
}

/** Prints an error the way its kind asks for, and returns its exit code. */
export function report(error: unknown, renderer: Renderer): ExitCode {
  if (error instanceof UserError) {
    renderer.fail(error.render());
    return error.exitCode;
  }
  if (error instanceof UserErrors) {
    for (const single of error.errors) renderer.fail(single.render());
    return error.errors[0]?.exitCode ?? EXIT.failed;
  }
  // A defect of this program: its reader is a developer, who wants the stack trace.
  renderer.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return EXIT.failed;
}

export function rendererFor(options: RenderOptions): Renderer {
  const streams = { out: process.stdout, err: process.stderr };
  if (options.json === true) return jsonRenderer(streams);
  return options.plain !== true && process.stderr.isTTY ? ttyRenderer(streams) : plainRenderer(streams);
}
