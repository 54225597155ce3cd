/** Preloaded by the launcher: imports of the libraries in `libraries.ts` get the files that it made of them, where it did. */
import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { BUNDLED_LIBRARIES, bundleOf } from "./libraries.ts";

const bundles = new Map(
  Object.keys(BUNDLED_LIBRARIES)
    .map((library) => [library, bundleOf(library)] as const)
    .filter(([, file]) => existsSync(file))
    .map(([library, file]) => [library, pathToFileURL(file).href] as const),
);

registerHooks({
  resolve(specifier, context, next) {
    const url = context.conditions.includes("import") ? bundles.get(specifier) : undefined;
    return url === undefined ? next(specifier, context) : { url, format: "module", shortCircuit: true };
  },
});
