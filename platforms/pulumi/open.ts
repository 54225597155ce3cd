import { SLOTS, type Slot } from "../../contract/slots.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { Engine } from "./engine.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import { plainSource } from "../../stacks/settings/source.ts";
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
  const kept = keptSlots(outputs, config, confined);
  const overrides = { ...target.overrides, ...imagesOf(kept) };
  const settings = parseSettings(stack, plainSource({ ...config, ...overrides }));
  const engine =
    Object.keys(kept).length === 0 ? first : await Engine.open({ root: PROJECT_ROOT, ...target, overrides });
  return { engine, settings, config, kept };
}

/**
 * Images that rollouts have deployed and that no setting names. Without them the next `up` would deploy the first release
 * again. If both slots run the same image, as after a rotation of the key, a changed `exai:image` applies to both.
 *
 * @param outputs of the last `up`, confined or not
 * @param confined whether only what is named may change
 */
export function keptSlots(
  outputs: Readonly<Record<string, { readonly value: unknown }>>,
  config: Readonly<Record<string, string>>,
  confined = false,
): Readonly<Partial<Record<Slot, string>>> {
  const slots: unknown = outputs.slots?.value;
  const images = SLOTS.flatMap((slot) => {
    const image: unknown =
      typeof slots === "object" && slots !== null ? (slots as Record<string, unknown>)[slot] : undefined;
    return typeof image === "string" ? [[slot, image] as const] : [];
  });
  if (images.length < SLOTS.length) return {};
  const [first, ...others] = new Set(images.map(([, image]) => image));
  const changed = config.image !== undefined && config.image !== outputs.image?.value;
  if (!confined && others.length === 0 && (changed || config.image === first)) return {};
  return Object.fromEntries(images.filter(([slot]) => config[`${slot}Image`] === undefined));
}

/** Slot images as settings. */
function imagesOf(slots: Readonly<Partial<Record<Slot, string>>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(slots).map(([slot, image]) => [`${slot}Image`, image]));
}
