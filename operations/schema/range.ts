import { IMAGE_LABELS } from "../../contract/images.ts";
import { UserError } from "../../contract/errors.ts";

/** The migrations between which a release works. An absent end is not limited. */
export interface SchemaRange {
  /** The release needs this migration and those before it. */
  readonly min?: string;
  /** The newest migration that the release knows: a later contract migration takes away what it may need. */
  readonly max?: string;
}

/**
 * Range out of an image's labels.
 *
 * @returns undefined where they say nothing
 * @throws UserError where they hold no versions
 */
export function rangeOfLabels(image: string, labels: Readonly<Record<string, string>>): SchemaRange | undefined {
  const [min = "", max = ""] = [labels[IMAGE_LABELS.schemaMin], labels[IMAGE_LABELS.schemaMax]];
  return rangeOf(
    min,
    max,
    `image ${image}`,
    `build it with ${IMAGE_LABELS.schemaMin} and ${IMAGE_LABELS.schemaMax} of fourteen digits each`,
  );
}

/**
 * Reads `20261101090000..20261101090600`; either end may be left out.
 *
 * @throws UserError that names where it stands
 */
export function parseRange(text: string, where: string): SchemaRange | undefined {
  const fix = `${where} "<lowest migration>..<highest migration>", fourteen digits each; either may be left out`;
  const [, min = "", max = ""] = /^\s*(\d*)\s*\.\.\s*(\d*)\s*$/.exec(text) ?? [];
  if (!text.includes("..")) throw new UserError("failed", where, `"${text}" is no range of migrations`, fix);
  return rangeOf(min, max, where, fix);
}

function rangeOf(min: string, max: string, where: string, fix: string): SchemaRange | undefined {
  for (const version of [min, max])
    if (version !== "" && !/^\d{14}$/.test(version))
      throw new UserError("failed", where, `"${version}" is no version of a migration`, fix);
  if (min !== "" && max !== "" && min > max) throw new UserError("failed", where, `${min} is above ${max}`, fix);
  if (min === "" && max === "") return undefined;
  return { ...(min === "" ? {} : { min }), ...(max === "" ? {} : { max }) };
}
