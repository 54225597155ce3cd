import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { read, type ReadTask } from "./read.ts";

// PGlite runs for a second or two: optimizing its WebAssembly on the way costs more than the faster code gives back.
setFlagsFromString("--no-wasm-tier-up");
setFlagsFromString("--no-wasm-dynamic-tiering");

// Entry of the thread that `readDatabase` starts; what it throws reaches the starter as its "error" event.
const { prelude, migrations, url } = workerData as ReadTask;
parentPort?.postMessage(await read(prelude, migrations, url));
