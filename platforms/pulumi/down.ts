import type { Operation } from "../../contract/events.ts";
import { BACKUPS_KEY, generatedName } from "../../contract/engine/names.ts";
import { timed } from "../../contract/timed.ts";
import type { Settings } from "../../stacks/settings.ts";
import type { DownOptions } from "../platform.ts";
import type { EngineDown } from "../results.ts";
import { nameOf } from "./changes.ts";
import { openEngine } from "./open.ts";
import type { EngineTarget, Prepare } from "./target.ts";

/** What a platform does itself. */
export interface DownSteps {
  /** Before the question. */
  readonly prepare?: Prepare;
  /** After the question: removes what uses the engine's resources and the engine does not know. */
  readonly confirmed?: () => Promise<void>;
  /** After the deletion, whose end the engine does not wait for everywhere. */
  readonly finish?: Prepare;
}

/**
 * Deletes what the engine made of a stack. What holds data, and the keys that open it, is protected and stays, unless `volumes` is
 * set. A key whose data is elsewhere always stays.
 */
export async function* engineDown(
  target: EngineTarget,
  { volumes, confirm, signal }: DownOptions,
  { prepare, confirmed, finish }: DownSteps = {},
): Operation<EngineDown> {
  const { stack } = target;
  const { engine, settings } = yield* timed("open", `open stack ${stack}`, () => openEngine(target));
  if (prepare !== undefined) yield* prepare(settings);
  const local = settings.environment === "local";
  if (volumes || !local) await confirm?.({ name: stack, data: volumes });
  await confirmed?.();
  const protectedUrns = async () => (await engine.resources()).filter(({ protect }) => protect).map(({ urn }) => urn);
  if (volumes) await engine.unprotect((await protectedUrns()).filter((urn) => !opensRemoteData(urn, settings)));
  const { counts } = yield* engine.destroy({ signal });
  if (finish !== undefined) yield* finish(settings);
  const kept = (await protectedUrns()).map((urn) => nameOf(urn)).sort();
  const data = volumes ? "removed" : kept.length > 0 ? "kept" : "none";
  return { platform: "pulumi", local, stack, deleted: counts.delete ?? 0, counts, data, kept };
}

/** The backups in a remote repository are not part of the stack. Without this key nothing can read them. */
export function opensRemoteData(urn: string, settings: Pick<Settings, "environment" | "backupRepository">): boolean {
  const remote = settings.environment !== "local" && settings.backupRepository !== undefined;
  return remote && nameOf(urn) === generatedName(BACKUPS_KEY);
}
