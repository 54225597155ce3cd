import { join } from "node:path";
import { SLOTS, type Slot } from "../../contract/slots.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { Engine } from "./engine.ts";
import { parseSettings, type Settings } from "../../stacks/settings.ts";
import { environmentOf } from "../../stacks/settings/parse.ts";
import { plainSource } from "../../stacks/settings/source.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { localStack, type Overrides } from "../compose/project.ts";

/** A stack in the engine's hands, and its settings as the engine has them. */
export interface EngineStack {
  readonly engine: Engine;
  readonly settings: Settings;
  /** The stack's configuration with its secrets, keys without `exai:`. */
  readonly config: Readonly<Record<string, string>>;
  /** Images that the slots keep because the settings do not name others; empty before the first `up`. */
  readonly kept: Readonly<Partial<Record<Slot, string>>>;
}

export interface OpenEngineOptions {
  /** Whether the operation is confined to parts of the stack: then a slot that is not named keeps its image in any case. */
  readonly confined?: boolean;
}

/**
 * Opens a stack for the engine. `local` has a backend of its own where none is configured; the others share theirs.
 *
 * The settings are checked here, with the engine's own configuration, so that a refusal costs seconds and no resource.
 *
 * @throws UserError or UserErrors where the CLI, the backend, the stack or a setting is missing or wrong
 */
export async function openEngine(
  stack: string,
  given: Overrides,
  { confined = false }: OpenEngineOptions = {},
): Promise<EngineStack> {
  const place = placeOf(stack, given);
  const request = {
    root: PROJECT_ROOT,
    stack,
    folder: place.folder,
    ...(place.own === undefined ? {} : { ownBackend: place.own }),
  };
  const first = await Engine.open({ ...request, overrides: place.overrides });
  const [config, outputs] = await Promise.all([first.config(), first.outputs()]);
  const kept = keptSlots(outputs, config, confined);
  const overrides = { ...place.overrides, ...imagesOf(kept) };
  const settings = parseSettings(stack, plainSource({ ...config, ...overrides }));
  const engine = Object.keys(kept).length === 0 ? first : await Engine.open({ ...request, overrides });
  return { engine, settings, config, kept };
}

/**
 * Images that rollouts have put into the slots and that no setting names: without them the next `up` would put the first
 * release back under the users. Where both slots run the same image, as after a rotation of the key, `exai:image` decides
 * again from the `up` on for which it was set to another one.
 *
 * @param outputs of the last `up`, be it one that was confined to a slot
 * @param confined whether nothing but what is named may change
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
function imagesOf(slots: Readonly<Partial<Record<Slot, string>>>): Overrides {
  return Object.fromEntries(Object.entries(slots).map(([slot, image]) => [`${slot}Image`, image]));
}

/** Where the engine's copy of the stack file goes, its own backend, and the values of this run. */
function placeOf(stack: string, given: Overrides): { folder: string; own?: string; overrides: Overrides } {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides: given, defers: true });
  if (environmentOf(stack, source) !== "local")
    return { folder: join(PROJECT_ROOT, ".exai", "engine", stack), overrides: given };
  const { home, settings, overrides } = localStack(stack, given);
  // An instance with a folder of its own has a backend of its own as well: two stacks may have the same name.
  const own = settings.homeDirectory === undefined ? join(PROJECT_ROOT, ".exai", "backend") : join(home, "backend");
  return { folder: join(home, "engine"), own, overrides };
}
