import { join, resolve } from "node:path";

/** Root of the checkout. */
export const PROJECT_ROOT = resolve(import.meta.dirname, "../..");

/** Folder of everything that can be made again: build contexts and downloads. */
export const BUILD_DIRECTORY = join(PROJECT_ROOT, ".exai/build");

/** Folder of what this machine remembers. */
export const LOCAL_DIRECTORY = join(PROJECT_ROOT, ".exai/local");
