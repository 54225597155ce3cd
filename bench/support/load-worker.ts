import { parentPort, workerData } from "node:worker_threads";
import { Load, type LoadOptions } from "./load.ts";

// A thread of its own, so that what the controller does in the other one does not show in the users' latencies.
const load = new Load(workerData as LoadOptions);
await load.start();
parentPort?.postMessage("started");
parentPort?.once("message", () => {
  void load.stop().then((report) => parentPort?.postMessage(report));
});
