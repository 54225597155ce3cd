/**
 * Makes one file of what is used of the Kubernetes client; the launcher runs it after `npm ci`.
 * Exit codes: 0 made; 1 not made, and the client is loaded as its modules.
 */
import { build } from "esbuild";
import { PROJECT_ROOT } from "../../images/paths.ts";
import { CLIENT_BUNDLE, USED_OF_CLIENT } from "./client.ts";

await build({
  stdin: {
    contents: `export { ${USED_OF_CLIENT.join(", ")} } from "@kubernetes/client-node";`,
    resolveDir: PROJECT_ROOT,
  },
  outfile: CLIENT_BUNDLE,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22.18",
  logLevel: "error",
  // Dependencies in CommonJS call require, which an ES module does not have.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
});
