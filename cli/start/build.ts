/** Builds the bundle in the folder that is the argument. */
import { buildBundle } from "./bundle.ts";

await buildBundle(process.argv[2] ?? "");
