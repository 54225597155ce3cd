import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

/** Root of the checkout. */
export const ROOT = resolve(import.meta.dirname, "../..");

/** Folders of the sources that the bundle is built from. */
const FOLDERS = ["cli", "components", "contract", "images", "operations", "platforms", "policies", "stacks", "synth"];

/** Files that stand for the installed libraries; npm writes the second one at each installation. */
const LIBRARIES = ["package-lock.json", "node_modules/.package-lock.json"];

/**
 * A key of the present sources and libraries, from the path, size and times of each file. A changed file has another ctime, which
 * no program can set, so a key never stands for other contents. Reading the contents would take twice as long.
 */
export function sourcesKey(): string {
  return keyOf([...LIBRARIES, ...FOLDERS.flatMap((folder) => sourcesIn(folder))]);
}

/** A key of the installed libraries alone. */
export function librariesKey(): string {
  return keyOf(LIBRARIES);
}

function sourcesIn(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sourcesIn(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

function keyOf(paths: readonly string[]): string {
  // The bundle holds absolute paths, so a checkout that was moved needs another one.
  const lines = [ROOT];
  for (const path of paths) {
    const { size, mtimeMs, ctimeMs } = statSync(join(ROOT, path));
    lines.push(`${path} ${size} ${mtimeMs} ${ctimeMs}`);
  }
  // An ES import of node:crypto would take longer than all the rest.
  return process.getBuiltinModule("node:crypto").hash("sha256", lines.join("\n")).slice(0, 16);
}
