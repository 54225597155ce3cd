import { SLOTS, type Slot } from "../contract/slots.ts";

/**
 * Images that rollouts have deployed and that no setting names. Without them the next `up` would deploy the first release
 * again. If both slots run the same image, as after a rotation of the key, a changed `exai:image` applies to both.
 *
 * @param outputs of the last `up`, confined or not
 * @param confined whether only what is named may change
 */
export function keptSlots(
  outputs: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, string>>,
  confined = false,
): Readonly<Partial<Record<Slot, string>>> {
  const { slots } = outputs;
  const images = SLOTS.flatMap((slot) => {
    const image: unknown =
      typeof slots === "object" && slots !== null ? (slots as Record<string, unknown>)[slot] : undefined;
    return typeof image === "string" ? [[slot, image] as const] : [];
  });
  if (images.length < SLOTS.length) return {};
  const [first, ...others] = new Set(images.map(([, image]) => image));
  const changed = config.image !== undefined && config.image !== outputs.image;
  if (!confined && others.length === 0 && (changed || config.image === first)) return {};
  return Object.fromEntries(images.filter(([slot]) => config[`${slot}Image`] === undefined));
}
