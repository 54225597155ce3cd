import { readFileSync } from "node:fs";
import type { SourceMap, SourceMapPayload } from "node:module";
import { dirname, resolve } from "node:path";

/**
 * Gives stack traces the lines of the sources instead of those of the bundle. Reads the source map at the first stack trace:
 * Node's own support reads it at each start, which takes longer than `--help`.
 */
export function traceSources(bundle: string): void {
  let map: SourceMap | undefined;
  const place = new RegExp(`(?:file://)?${bundle.replaceAll(/[.+]/g, "\\$&")}:(\\d+):(\\d+)`, "g");
  const source = (position: string, line: string, column: string): string => {
    const { SourceMap } = process.getBuiltinModule("node:module");
    map ??= new SourceMap(JSON.parse(readFileSync(`${bundle}.map`, "utf8")) as SourceMapPayload);
    const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
    if (!("originalSource" in entry)) return position;
    return `${resolve(dirname(bundle), entry.originalSource)}:${String(entry.originalLine + 1)}:${String(entry.originalColumn + 1)}`;
  };
  // eslint-disable-next-line @typescript-eslint/no-base-to-string -- a call site describes itself
  Error.prepareStackTrace = (error, frames) => [String(error), ...frames].join("\n    at ").replaceAll(place, source);
}
