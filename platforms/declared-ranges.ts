import { COLOURS, type Colour } from "../contract/slots.ts";
import { parseRange, type SchemaRange } from "../operations/schema/range.ts";
import type { Settings } from "../stacks/settings.ts";

/** Ranges of migrations that the settings give the slots instead of their images' labels. */
export function declaredRanges(settings: Settings): Readonly<Partial<Record<Colour, SchemaRange>>> {
  return Object.fromEntries(
    COLOURS.flatMap((colour) => {
      const text = settings[`${colour}Schema`];
      const range = text === undefined ? undefined : parseRange(text, `exai:${colour}Schema`);
      return range === undefined ? [] : [[colour, range]];
    }),
  );
}
