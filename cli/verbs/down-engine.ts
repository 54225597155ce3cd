import { rmSync } from "node:fs";
import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { confirmByName } from "../confirm.ts";
import { openEngine } from "../../platforms/pulumi/open.ts";
import { localStack, type Overrides } from "../../platforms/compose/project.ts";
import { timed } from "../../contract/timed.ts";
import type { DownOptions } from "./down.ts";

/** Deletes what the engine made of a stack. What holds data is protected and stays, unless asked otherwise. */
export async function* downEngine(
  stack: string,
  overrides: Overrides,
  options: DownOptions,
  signal: AbortSignal,
): Verb {
  const { engine, settings } = yield* timed("open", `open stack ${stack}`, () => openEngine(stack, overrides));
  const isLocal = settings.environment === "local";
  if (!options.yes && (options.volumes || !isLocal)) {
    const what = options.volumes ? "everything, its data too, for good" : "everything but the data";
    await confirmByName(
      stack,
      `This deletes ${what}.`,
      `./exai down ${stack}${options.volumes ? " --volumes" : ""} --yes`,
    );
  }
  if (options.volumes) await engine.unprotect();
  const { stream } = yield* engine.destroy({ signal, keepProtected: !options.volumes });
  if (options.volumes && isLocal) rmSync(localStack(stack, overrides).home, { recursive: true, force: true });
  const deleted = stream.counts.delete ?? 0;
  yield {
    type: "result",
    title: `${stack} is down: ${deleted} resources deleted${options.volumes ? ", its data too" : "; its data stays"}`,
    data: { stack, deleted, counts: stream.counts },
    next: [`./exai up ${stack}${isLocal ? " --engine" : ""}`],
  };
  return EXIT.ok;
}
