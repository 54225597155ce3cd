import { IMAGE_LABELS } from "../../contract/images.ts";
import { UserError } from "../../contract/errors.ts";

/** The schemas that a release works with. An absent end is not limited. */
export interface SchemaRange {
  /** The release requires this migration and those before it. */
  readonly min?: string;
  /** The newest migration that the release supports: a later contract migration removes what it may need. */
  readonly max?: string;
}

/**
 * The range that an image's labels declare.
 *
 * @returns undefined if they declare nothing
 * @throws UserError if they do not hold versions
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
 * @throws UserError that names `where`
 */
export function parseRange(text: string, where: string): SchemaRange | undefined {
  const fix = `${where} "<lowest migration>..<highest migration>", fourteen digits each; either may be left out`;
  const [, min = "", max = ""] = /^\s*(\d*)\s*\.\.\s*(\d*)\s*$/.exec(text) ?? [];
  if (!text.includes(".."))
    throw new UserError("invalid-setting", where, `"${text}" is not a range of migrations`, fix);
  return rangeOf(min, max, where, fix);
}

function rangeOf(min: string, max: string, where: string, fix: string): SchemaRange | undefined {
  for (const version of [min, max])
    if (version !== "" && !/^\d{14}$/.test(version))
      throw new UserError("invalid-setting", where, `"${version}" is not a version of a migration`, fix);
  if (min !== "" && max !== "" && min > max)
    throw new UserError("invalid-setting", where, `${min} is above ${max}`, fix);
  if (min === "" && max === "") return undefined;
  return { ...(min === "" ? {} : { min }), ...(max === "" ? {} : { max }) };
}
