/**
 * Makes one file of each of the libraries in `libraries.ts`: `node cli/start/bundle.ts [DIRECTORY]`. The launcher begins it
 * after `npm ci`, and nobody waits for it: all files come into place at once, when they are whole.
 * Exit codes: 0 made, 1 not made; the CLI then loads the libraries as they are.
 */
import { rename, rm } from "node:fs/promises";
import { build } from "esbuild";
import { BUNDLED_LIBRARIES, bundleOf, BUNDLES_DIRECTORY } from "./libraries.ts";

const directory = process.argv[2] ?? BUNDLES_DIRECTORY;
const draft = `${directory}.${String(process.pid)}`;

await Promise.all(
  Object.entries(BUNDLED_LIBRARIES).map(async ([library, used]) => {
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
  }),
);

await rm(directory, { recursive: true, force: true });
await rename(draft, directory);
