/** The entry of the CLI: runs the bundle of its sources, or the sources themselves if no bundle can be built. */
import { bundleOfSources } from "./start/bundle.ts";
import { traceSources } from "./start/trace.ts";

const bundle = await bundleOfSources();
if (bundle !== undefined) traceSources(bundle);
await import(bundle ?? "./program.ts");
