import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../../../contract/errors.ts";
import { makeFolder } from "../../../contract/machine/make-folder.ts";
import { errorCode } from "../../rollout/host/durable-files.ts";

/** A file that only its user can read, and that did not exist. Each line is written whole. */
export class PrivateFile {
  readonly path: string;
  readonly #descriptor: number;

  /** @throws UserError if it exists, or cannot be written */
  constructor(option: string, path: string) {
    this.path = path;
    try {
      makeFolder(dirname(path));
      this.#descriptor = openSync(path, "wx", 0o600);
    } catch (cause) {
      const code = errorCode(cause);
      const problem = code === "EEXIST" ? "exists" : `cannot be written (${code ?? String(cause)})`;
      const place = "name a new file in a folder that you may write";
      throw new UserError("invalid-argument", `${option} ${path}`, problem, place, { cause });
    }
  }

  line(text: string): void {
    writeSync(this.#descriptor, `${text}\n`);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
