import type { Operation } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import type { DownOptions } from "../platform.ts";
import type { EngineDown } from "../results.ts";
import { openEngine } from "./open.ts";
import type { EngineTarget } from "./target.ts";

/** Deletes what the engine made of a stack. What holds data is protected and stays, unless `volumes` is set. */
export async function* engineDown(
  target: EngineTarget,
  { volumes, confirm, signal }: DownOptions,
): Operation<EngineDown> {
  const { stack } = target;
  const { engine, settings } = yield* timed("open", `open stack ${stack}`, () => openEngine(target));
  const local = settings.environment === "local";
  if (volumes || !local) await confirm?.({ name: stack, data: volumes });
  if (volumes) await engine.unprotect();
  const { counts } = yield* engine.destroy({ signal, keepProtected: !volumes });
  const data = volumes ? "removed" : "kept";
  return { platform: "pulumi", local, stack, deleted: counts.delete ?? 0, counts, data };
}
