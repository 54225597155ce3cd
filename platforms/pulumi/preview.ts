import type { Operation } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import type { EnginePreview } from "../results.ts";
import { openEngine } from "./open.ts";
import type { EngineTarget, Prepare } from "./target.ts";

/** What `up` would change, by the engine and under the policy pack. Changes nothing. */
export async function* enginePreview(
  target: EngineTarget,
  signal: AbortSignal,
  prepare?: Prepare,
): Operation<EnginePreview> {
  const { stack } = target;
  const { engine, settings } = yield* timed("open", `open stack ${stack}`, () => openEngine(target));
  if (prepare !== undefined) yield* prepare(settings);
  const { changed, unchanged, changes, counts, findings } = yield* engine.preview({ signal });
  return {
    platform: "pulumi",
    local: settings.environment === "local",
    stack,
    changed,
    unchanged,
    changes,
    counts,
    findings,
  };
}
