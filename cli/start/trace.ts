import { sourcePosition } from "../../synth/source-positions.ts";

/** A position in a file of a bundle, of which `build.ts` has made a table of its lines. */
const BUNDLED = /(?:file:\/\/)?(\/[^:()]+\/\.exai\/cache\/cli\/[0-9a-f]+\/\w+\.c?js):(\d+):\d+/g;

/** Gives stack traces the lines of the sources instead of those of the bundle. */
export function traceSources(): void {
  Error.prepareStackTrace = (error, frames) => {
    // eslint-disable-next-line @typescript-eslint/no-base-to-string -- a call site describes itself
    const trace = [String(error), ...frames].join("\n    at ");
    // Pulumi's SDK takes hundreds of traces for itself, of errors without a message.
    if (error.message === "") return trace;
    return trace.replaceAll(BUNDLED, (_, bundled: string, at: string) => {
      const { file, line } = sourcePosition({ file: bundled, line: Number(at) });
      return `${file}:${String(line)}`;
    });
  };
}
