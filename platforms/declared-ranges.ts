import { SLOTS, type Slot } from "../contract/slots.ts";
import { parseRange, type SchemaRange } from "../operations/schema/range.ts";
import type { Settings } from "../stacks/settings.ts";

/** Ranges of migrations that the settings give the slots instead of their images' labels. */
export function declaredRanges(settings: Settings): Readonly<Partial<Record<Slot, SchemaRange>>> {
  return Object.fromEntries(
    SLOTS.flatMap((slot) => {
      const text = settings[`${slot}Schema`];
      const range = text === undefined ? undefined : parseRange(text, `exai:${slot}Schema`);
      return range === undefined ? [] : [[slot, range]];
    }),
  );
}
