/**
 * Makes one file of each of the libraries in `libraries.ts`: `node cli/start/bundle.ts [DIRECTORY]`. The launcher runs it
 * after `npm ci`. Exit codes: 0 made, 1 not made; the CLI then loads the libraries as they are.
 */
import { build } from "esbuild";
import { BUNDLED_LIBRARIES, bundleOf, BUNDLES_DIRECTORY } from "./libraries.ts";

const directory = process.argv[2] ?? BUNDLES_DIRECTORY;

await Promise.all(
  Object.entries(BUNDLED_LIBRARIES).map(async ([library, used]) => {
    // By name: from CommonJS, `export *` would give none.
    const names = used ?? Object.keys((await import(library)) as object).filter((name) => name !== "module.exports");
    await build({
      stdin: { contents: `export { ${names.join(", ")} } from "${library}";`, resolveDir: import.meta.dirname },
      outfile: bundleOf(library, directory),
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
