import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { openEngine } from "../engine/open.ts";
import type { Overrides } from "../local/project.ts";
import { timed } from "../steps.ts";

export interface DownEngineOptions {
  /** Also deletes what is protected: volumes, projects, everything that holds data. */
  readonly data: boolean;
}

/** Deletes what the engine made of a stack. What holds data is protected and stays, unless asked otherwise. */
export async function* downEngine(
  stack: string,
  overrides: Overrides,
  options: DownEngineOptions,
  signal: AbortSignal,
): Verb {
  const { engine } = yield* timed("open", `open stack ${stack}`, () => openEngine(stack, overrides));
  if (options.data) await engine.unprotect();
  const { stream } = yield* engine.destroy({ signal, keepProtected: !options.data });
  const deleted = stream.counts.delete ?? 0;
  yield {
    type: "result",
    title: `${stack} is down: ${deleted} resources deleted${options.data ? ", its data too" : "; its data stays"}`,
    data: { stack, deleted, counts: stream.counts },
    next: [`./exai up ${stack}`],
  };
  return EXIT.ok;
}
