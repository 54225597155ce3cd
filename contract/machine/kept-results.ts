import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { makeFolder } from "./make-folder.ts";

/** Results of one kind that are kept; older ones are removed. */
const KEPT = 20;

/** Permissions of a kept file. Git has none that are read-only: a file that a commit puts there has others. */
const MODE = 0o400;

/** A key of everything that a result depends on: texts and files by name. */
export class ResultKey {
  readonly #hash = createHash("sha256");

  /** Adds a text. Its length is part of the key, so that no other names and texts have the same one. */
  add(name: string, content: string | Buffer): this {
    this.#hash.update(`${name}\0${Buffer.byteLength(content)}\0`).update(content);
    return this;
  }

  /** Adds the files of a folder, and those of the folders in it. @throws Error of the system */
  addFolder(folder: string, name = basename(folder)): this {
    const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) this.addFolder(path, `${name}/${entry.name}`);
      else this.add(`${name}/${entry.name}`, readFileSync(path));
    }
    return this;
  }

  /** The key, as 32 hexadecimal digits. */
  toString(): string {
    return this.#hash.copy().digest("hex").slice(0, 32);
  }
}

/** The content of a kept result; undefined if it is not there or cannot be read, or if {@link keep} did not write it. */
export function readKept(file: string): Buffer | undefined {
  try {
    const { mode } = lstatSync(file);
    return (mode & 0o777) === MODE ? readFileSync(file) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Keeps a result for later runs, readable by its owner alone, and removes the oldest of its kind, which is what its name begins with
 * before `-`. By rename, so that a concurrent reader never sees an incomplete file. What cannot be kept, for example on a full disk, is
 * made again by the next run.
 */
export function keep(file: string, content: string | Buffer): void {
  const temporary = `${file}.${process.pid}`;
  const folder = dirname(file);
  try {
    makeFolder(folder);
    writeFileSync(temporary, content, { mode: MODE });
    renameSync(temporary, file);
    const kind = basename(file).replace(/-.*/, "-");
    const times = readdirSync(folder)
      .filter((name) => name.startsWith(kind))
      .map((name) => ({ name, time: statSync(join(folder, name)).mtimeMs }))
      .sort((a, b) => b.time - a.time);
    for (const { name } of times.slice(KEPT)) rmSync(join(folder, name), { force: true });
  } catch {
    tryToRemove(temporary); // a full disk creates the name without the content
  }
}

function tryToRemove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It cannot be written to either.
  }
}
