import type { OutputMap } from "@pulumi/pulumi/automation/index.js";
import type { Operation } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import type { ApplyPendingResult } from "../../operations/schema/apply.ts";
import type { Settings } from "../../stacks/settings.ts";
import type { EngineUp, UpPlan } from "../results.ts";
import { forgetAbsent, type FindAbsent } from "./absent.ts";
import type { StateResource } from "./engine.ts";
import { openEngine, type EngineStack } from "./open.ts";
import type { EngineTarget, Prepare } from "./target.ts";

export interface EngineUpOptions {
  /** Before the preview. */
  readonly prepare: Prepare;
  /** What was deleted by another program. */
  readonly absent: (resources: readonly StateResource[], settings: Settings) => ReturnType<FindAbsent>;
  /** Asks before something is changed. @throws if declined */
  readonly confirm?: ((plan: UpPlan) => Promise<void>) | undefined;
  /** After the resources. Returns the migrations that it applied. */
  readonly finish: (settings: Settings, resourcesChanged: boolean) => Operation<ApplyPendingResult | undefined>;
  readonly signal: AbortSignal;
}

/**
 * Brings a stack up with the Pulumi engine: settings, preview under the policy pack, a question, then the changes under the
 * same pack. Slots keep the images that a cutover deployed.
 */
export async function* engineUp(target: EngineTarget, options: EngineUpOptions): Operation<EngineUp> {
  const begun = Date.now();
  const { stack } = target;
  const { signal } = options;
  const opened = yield* timed("open", `open stack ${stack}`, () => openEngine(target));
  const { engine, settings } = opened;
  yield* options.prepare(settings);
  yield* forgetAbsent(engine, (resources) => options.absent(resources, settings), signal);

  yield { type: "step", id: "preview", title: "preview", status: "started" };
  const { changed, unchanged, changes } = yield* engine.preview({ signal });
  const detail = `${changed} to change, ${unchanged} unchanged`;
  yield { type: "step", id: "preview", title: "preview", status: "done", detail };
  if (changed > 0) {
    await options.confirm?.({ stack, changed, unchanged, changes });
    yield* engine.up({ signal });
  } else {
    yield { type: "step", id: "apply", title: `${unchanged} resources`, status: "unchanged" };
  }
  const migrations = yield* options.finish(settings, changed > 0);
  return {
    platform: "pulumi",
    local: settings.environment === "local",
    stack,
    changes: changed + (migrations?.applied.length ?? 0),
    seconds: (Date.now() - begun) / 1000,
    outputs: shownOutputs(await engine.outputs()),
    ...imagesOf(opened),
    ...(migrations === undefined ? {} : { migrations }),
  };
}

/** The images that the slots keep, and the one of the settings that no slot runs. */
function imagesOf({ kept, settings }: EngineStack): Pick<EngineUp, "kept" | "waitingImage"> {
  const { image } = settings;
  const images = Object.values(kept);
  const waits = typeof image === "string" && images.length > 0 && !images.includes(image);
  return { kept, ...(waits ? { waitingImage: image } : {}) };
}

/** Outputs as text, one level flattened, secrets masked. */
function shownOutputs(outputs: OutputMap): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, { value, secret }]: [string, { value: unknown; secret: boolean }]) => {
      if (secret) return [[name, "********"]];
      if (typeof value === "object" && value !== null)
        return Object.entries(value).map(([key, item]) => [`${name}.${key}`, textOf(item)]);
      return [[name, textOf(value)]];
    }),
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
