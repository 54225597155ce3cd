import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageBuild } from "./build.ts";
import { PROJECT_ROOT } from "./paths.ts";
import { bundleProgram, nodePrograms } from "./programs.ts";

const SOURCE = join(PROJECT_ROOT, "images/object-store");

/** The image of the local object store, from `images/object-store`. */
export async function objectStore(tag: string, base: string, signal?: AbortSignal): Promise<ImageBuild> {
  const [dockerfile, store, healthcheck] = await Promise.all([
    readFile(join(SOURCE, "Dockerfile"), "utf8"),
    ...["main.ts", "healthcheck.ts"].map((entry) => bundleProgram(join(SOURCE, "src", entry))),
  ]);
  const files = { "store.mjs": store ?? "", "healthcheck.mjs": healthcheck ?? "", "data/.keep": "" };
  return { tag, buildArgs: { BASE: base }, ...nodePrograms(dockerfile, files, signal) };
}
