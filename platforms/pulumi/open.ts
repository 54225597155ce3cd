import type { OutputMap } from "@pulumi/pulumi/automation/index.js";
import type { Slot } from "../../contract/slots.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { keptSlots } from "../../stacks/kept-slots.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import { plainSource } from "../../stacks/settings/source.ts";
import { Engine } from "./engine.ts";
import type { EngineTarget } from "./target.ts";

/** A stack that is open for the engine, and its settings with the engine's configuration. */
export interface EngineStack {
  readonly engine: Engine;
  readonly settings: Settings;
  /** The stack's configuration with its secrets, keys without `exai:`. */
  readonly config: Readonly<Record<string, string>>;
  /** Images that the slots keep because no setting names another one; empty before the first `up`. */
  readonly kept: Readonly<Partial<Record<Slot, string>>>;
}

export interface OpenEngineOptions {
  /** Whether the operation is confined to parts of the stack. Then a slot that is not named always keeps its image. */
  readonly confined?: boolean;
}

/**
 * Opens a stack for the engine. Checks the settings with the engine's own configuration, before a resource is changed.
 *
 * @throws UserError or UserErrors if the CLI, the backend, the stack or a setting is missing or wrong
 */
export async function openEngine(
  target: EngineTarget,
  { confined = false }: OpenEngineOptions = {},
): Promise<EngineStack> {
  const { stack } = target;
  const first = await Engine.open({ root: PROJECT_ROOT, ...target });
  const [config, outputs] = await Promise.all([first.config(), first.outputs()]);
  const kept = keptSlots(valuesOf(outputs), config, confined);
  const overrides = { ...target.overrides, ...imagesOf(kept) };
  const settings = parseSettings(stack, plainSource({ ...config, ...overrides }));
  const engine =
    Object.keys(kept).length === 0 ? first : await Engine.open({ root: PROJECT_ROOT, ...target, overrides });
  return { engine, settings, config, kept };
}

/** Slot images as settings. */
function imagesOf(slots: Readonly<Partial<Record<Slot, string>>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(slots).map(([slot, image]) => [`${slot}Image`, image]));
}

function valuesOf(outputs: OutputMap): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value as unknown]));
}
