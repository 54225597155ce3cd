import { parentPort, workerData } from "node:worker_threads";
import { Load, type LoadOptions } from "./load.ts";

// A separate thread, so that the controller's work does not affect the users' latencies.
const load = new Load(workerData as LoadOptions);
await load.start();
parentPort?.postMessage("started");
parentPort?.once("message", () => {
  void load.stop().then((report) => parentPort?.postMessage(report));
});
