import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { read, type ReadMessage, type ReadTask } from "./read.ts";

// PGlite runs only for a second or two: optimizing its WebAssembly meanwhile costs more time than it saves.
setFlagsFromString("--no-wasm-tier-up");
setFlagsFromString("--no-wasm-dynamic-tiering");

// Entry of the thread that `readDatabase` starts; an exception arrives there as the "error" event.
const task = workerData as ReadTask;
const send = (message: ReadMessage) => parentPort?.postMessage(message);
const facts = await read(task.prelude, task.migrations, {
  ...task,
  step: (step) => {
    send({ step });
  },
});
send({ facts });
