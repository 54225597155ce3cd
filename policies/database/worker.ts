import { parentPort, workerData } from "node:worker_threads";
import { read, type ReadTask } from "./read.ts";

// Entry of the thread that `readDatabase` starts; what it throws reaches the starter as its "error" event.
const { prelude, migrations, url } = workerData as ReadTask;
parentPort?.postMessage(await read(prelude, migrations, url));
