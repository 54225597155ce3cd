/** The entry of the CLI: runs the bundle of its sources, or the sources themselves if no bundle can be built. */
import { pathToFileURL } from "node:url";
import { bundleOfSources } from "./start/bundle.ts";

const bundle = await bundleOfSources();
process.setSourceMapsEnabled(true);
await (bundle === undefined ? import("./program.ts") : import(pathToFileURL(bundle).href));
