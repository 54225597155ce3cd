import { readFileSync } from "node:fs";
import type { SourceMap, SourceMapPayload } from "node:module";
import { dirname, resolve } from "node:path";

/** A position in a file of a bundle, of which `build.ts` has made a source map. */
const BUNDLED = /(?:file:\/\/)?(\/[^:()]+\/\.exai\/cache\/cli\/[0-9a-f]+\/\w+\.c?js):(\d+):(\d+)/g;

/**
 * Gives stack traces the lines of the sources instead of those of the bundle. Reads the source maps at the first stack trace:
 * Node's own support reads them at each start, which takes longer than `--help`.
 */
export function traceSources(): void {
  const maps = new Map<string, SourceMap>();
  const mapOf = (file: string): SourceMap => {
    const { SourceMap } = process.getBuiltinModule("node:module");
    const map = maps.get(file) ?? new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")) as SourceMapPayload);
    maps.set(file, map);
    return map;
  };
  const source = (position: string, file: string, line: string, column: string): string => {
    const entry = mapOf(file).findEntry(Number(line) - 1, Number(column) - 1);
    if (!("originalSource" in entry)) return position;
    return `${resolve(dirname(file), entry.originalSource)}:${String(entry.originalLine + 1)}:${String(entry.originalColumn + 1)}`;
  };
  // eslint-disable-next-line @typescript-eslint/no-base-to-string -- a call site describes itself
  Error.prepareStackTrace = (error, frames) => [String(error), ...frames].join("\n    at ").replaceAll(BUNDLED, source);
}
