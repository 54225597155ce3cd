import { EXIT, type ExitCode } from "../contract/errors.ts";
import { errorEvents, interruptedEvent } from "./errors.ts";
import type { ErrorEvent, Verb } from "./events.ts";
import { jsonRenderer } from "./render/json.ts";
import type { Renderer } from "./render/renderer.ts";
import { textRenderer } from "./render/text.ts";

/** How a verb's events are shown. */
export interface RenderOptions {
  /** One JSON object per line. */
  readonly json?: boolean;
  /** Plain lines, even on a terminal. */
  readonly plain?: boolean;
}

/**
 * Runs a verb to its end and returns the exit code.
 *
 * The first Ctrl-C ends the generator at its next event, so that its `finally` blocks run and the state stays resumable;
 * the second ends the process.
 */
export async function run(
  verb: (signal: AbortSignal) => Verb,
  options: RenderOptions,
  renderer: Renderer = rendererFor(options),
): Promise<ExitCode> {
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
      if (done === true) return value;
      renderer.show({ at: new Date().toISOString(), ...value });
    }
  } catch (error) {
    return fail(abort.signal.aborted ? [interruptedEvent(error)] : errorEvents(error), renderer);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    renderer.close();
  }
}

/** Shows what ended a verb, and returns its exit code. */
export function fail(errors: readonly [ErrorEvent, ...ErrorEvent[]], renderer: Renderer): ExitCode {
  for (const error of errors) renderer.show({ at: new Date().toISOString(), ...error });
  return errors[0].exitCode;
}

export function rendererFor({ json, plain }: RenderOptions): Renderer {
  const streams = { out: process.stdout, err: process.stderr };
  return json === true ? jsonRenderer(streams) : textRenderer(streams, plain === true);
}
