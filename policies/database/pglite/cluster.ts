import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Extension } from "@electric-sql/pglite";
import { filesExtension } from "./files.ts";

/** Where PGlite keeps its data directory. */
const DATA = "/pglite/data";

/** Of the tape archive format: a header and the content of a file begin at multiples of it, in bytes. */
const BLOCK = 512;

/**
 * The data directory of a new database cluster, from an npm package: `initdb` in WebAssembly takes about three seconds of
 * CPU time. A PGlite of the same major version of PostgreSQL created it, so its catalog is the same.
 */
export async function preparedCluster(): Promise<Buffer> {
  const archive = new URL("./prepopulatedfs.tgz", import.meta.resolve("@electric-sql/pglite-prepopulatedfs"));
  return promisify(gunzip)(await readFile(archive));
}

/**
 * Puts a cluster into the file system of PGlite, which then opens it as its own. The files share the memory of the archive: PGlite's
 * option `loadDataDir` copies its 40 MB several times.
 */
export function clusterOf(archive: Buffer): Extension {
  return filesExtension("cluster", (files) => {
    for (const { path, content } of entriesOf(archive))
      if (content === undefined) files.mkdirTree(`${DATA}${path}`);
      else files.writeFile(`${DATA}${path}`, content, { canOwn: true });
  });
}

/** The entries of a tape archive, folders before their files; a folder has no content. */
function* entriesOf(archive: Buffer): Generator<{ readonly path: string; readonly content?: Buffer }> {
  const field = (start: number, length: number) =>
    archive.toString("latin1", start, start + length).replace(/\0.*$/s, "");
  for (let at = 0; at < archive.length;) {
    const path = field(at, 100);
    if (path === "") return;
    const size = parseInt(field(at + 124, 12), 8) || 0;
    const isFolder = field(at + 156, 1) === "5";
    const start = at + BLOCK;
    yield isFolder ? { path } : { path, content: archive.subarray(start, start + size) };
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}
