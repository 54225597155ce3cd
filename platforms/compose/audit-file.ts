import { appendFileSync, closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { claimHome, readMark } from "../../contract/machine/stack-home.ts";
import type { AuditEnd, AuditStart, AuditStore } from "../../operations/audit/log.ts";
import { errorCode } from "../../operations/rollout/host/durable-files.ts";
import { withFileLock } from "./file-lock.ts";

/** Size at which the file becomes the older one, which replaces the previous older one. */
const MOST_BYTES = 256 * 1024;

/**
 * `audit.jsonl` and, with what is older, `audit.jsonl.1` in the folder of a local stack. Appending takes no lock: the system
 * does not mix the lines of two processes.
 */
export class FileAuditStore implements AuditStore {
  readonly #home: string;
  readonly #instance: string;
  readonly #path: string;

  constructor(home: string, instance: string) {
    this.#home = home;
    this.#instance = instance;
    this.#path = join(home, "audit.jsonl");
  }

  append(lines: readonly (AuditStart | AuditEnd)[]): Promise<void> {
    return Promise.resolve().then(() => {
      if (readMark(this.#home) === undefined) {
        // Only `up` makes a stack; what is refused because there is none leaves no folder behind.
        if (!lines.some((line) => "verb" in line && line.verb === "up")) return;
        claimHome(this.#home, this.#instance);
      }
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
      // A full disk, or a killed process, may have left half a line.
      appendFileSync(this.#path, endsLine(this.#path) ? text : `\n${text}`, { mode: 0o600 });
      if (this.#isFull()) this.#rotate();
    });
  }

  lines(): Promise<readonly string[]> {
    return Promise.resolve().then(() =>
      [`${this.#path}.1`, this.#path].flatMap((path) => textOf(path).split("\n")).filter((line) => line !== ""),
    );
  }

  #rotate(): void {
    // Of two processes that find it full, the second finds a new one.
    withFileLock(this.#path, () => {
      if (this.#isFull()) renameSync(this.#path, `${this.#path}.1`);
    });
  }

  #isFull(): boolean {
    return (statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) > MOST_BYTES;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  }
}

/** Whether a file is absent, empty, or ends with a line feed. */
function endsLine(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return true;
    throw error;
  }
  try {
    const last = Buffer.alloc(1);
    const { size } = fstatSync(file);
    return size === 0 || (readSync(file, last, 0, 1, size - 1) === 1 && last.toString() === "\n");
  } finally {
    closeSync(file);
  }
}
