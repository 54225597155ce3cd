/**
 * Makes one file of each of the libraries in `libraries.ts`, where that is not done. `resolve.ts` begins it, and nobody waits
 * for it: all files come into place at once, when they are whole. Exit codes: 0 they are there, 1 they could not be made; the
 * CLI then loads the libraries as they are.
 */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { build } from "esbuild";
import { BUNDLED_LIBRARIES, bundleOf, bundlesDirectory } from "./libraries.ts";

const directory = bundlesDirectory();
const draft = `${directory}.${String(process.pid)}`;

async function bundle(library: string, used: readonly string[] | undefined): Promise<void> {
  // By name: from CommonJS, `export *` would give none.
  const names = used ?? Object.keys((await import(library)) as object).filter((name) => name !== "module.exports");
  await build({
    stdin: { contents: `export { ${names.join(", ")} } from "${library}";`, resolveDir: import.meta.dirname },
    outfile: bundleOf(library, draft),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22.18",
    external: ["pg-native"], // asked for by pg, and not installed
    logLevel: "error",
    // Dependencies in CommonJS call require, which an ES module does not have.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
}

if (!existsSync(directory)) {
  try {
    await Promise.all(Object.entries(BUNDLED_LIBRARIES).map(([library, used]) => bundle(library, used)));
    await rename(draft, directory);
  } catch (error) {
    // Somebody else may have made the same in the meantime.
    if (!existsSync(directory)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
