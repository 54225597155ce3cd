import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { UserError } from "../../../contract/errors.ts";
import type { MergeConflict, Resolutions, Side } from "./three-way.ts";

/**
 * Reads a file that decides conflicts: YAML with the side by the name of the object, such as `column public.files.name: main`. Objects
 * without a side are not decided. A file that does not exist decides nothing.
 *
 * @param other what the file calls the side that is not main
 * @throws UserError `invalid-file`
 */
export function readResolutions(path: string, other: string): Resolutions {
  if (!existsSync(path)) return new Map();
  let content: unknown;
  try {
    content = parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw invalid(
      path,
      `is not YAML: ${cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause)}`,
      other,
      cause,
    );
  }
  if (content === null) return new Map();
  if (typeof content !== "object" || Array.isArray(content)) throw invalid(path, "has no sides by object", other);
  return new Map(
    Object.entries(content as Readonly<Record<string, unknown>>).flatMap(
      ([object, side]): (readonly [string, Side])[] => {
        if (side === null || side === "") return [];
        if (side !== "main" && side !== other) throw invalid(path, `has ${JSON.stringify(side)} for ${object}`, other);
        return [[object, side === "main" ? "main" : "branch"]];
      },
    ),
  );
}

/** Writes what is decided, and the conflicts that are not, with both versions as comments. */
export function writeResolutions(
  path: string,
  other: string,
  decided: Resolutions,
  conflicts: readonly MergeConflict[],
): void {
  const known = [...decided].map(([object, side]) => stringify({ [object]: side === "main" ? "main" : other }));
  const open = conflicts.map(
    ({ object, reason, main = "does not have it", branch = "does not have it" }) =>
      `# ${reason}\n#   main: ${oneLine(main)}\n#   ${other}: ${oneLine(branch)}\n${stringify({ [object]: null }, { nullStr: "" })}`,
  );
  writeFileSync(path, [`# The side of each object: main or ${other}.\n`, ...known, ...open].join(""));
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

function invalid(path: string, problem: string, other: string, cause?: unknown): UserError {
  return new UserError("invalid-file", path, problem, `for each object "main" or "${other}"`, { cause });
}
