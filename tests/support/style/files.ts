import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** A file of the repository: where it is, and its path from the top of its checkout. */
export interface SourceFile {
  readonly file: string;
  readonly path: string;
}

/** Names of files with text that people wrote. */
const WRITTEN = /(\.(?:[cm]?[jt]s|md|sql|ya?ml|sh|conf|toml)|(?:^|\/)(?:[\w.-]*Dockerfile|exai[\w-]*|run|load-image))$/;

/** The files that people wrote, tracked or new, of a folder or a single file. */
export function writtenFiles(place: string): readonly SourceFile[] {
  const folder = statSync(place).isDirectory() ? place : dirname(place);
  const git = (...args: string[]) => execFileSync("git", ["-C", folder, ...args], { encoding: "utf8" });
  const top = git("rev-parse", "--show-toplevel").trim();
  const listed = git(
    "ls-files",
    "-z",
    "--full-name",
    "--cached",
    "--others",
    "--exclude-standard",
    "--",
    resolve(place),
  );
  return [...new Set(listed.split("\0"))]
    .filter((path) => path !== "" && WRITTEN.test(path))
    .map((path) => ({ file: join(top, path), path }))
    .filter(({ file }) => statSync(file, { throwIfNoEntry: false })?.isFile() === true)
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
