import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../contract/errors.ts";
import { makeFolder } from "../contract/machine/make-folder.ts";

/** Writes a file that the user has named, and makes its folder. @throws UserError if it cannot be written */
export function writeOutput(option: string, path: string, text: string, mode = 0o644): void {
  try {
    makeFolder(dirname(path));
    writeFileSync(path, text, { mode });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const reason = code === "EISDIR" ? "is a folder" : `cannot be written (${code})`;
    throw new UserError("invalid-argument", `${option} ${path}`, reason, "name a file in a folder that you may write", {
      cause,
    });
  }
}
