import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { LoadOptions, LoadReport } from "./load.ts";

/** A {@link Load} in a separate thread. */
export class LoadThread {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Returns when every WebSocket and MCP session has had its first answer. */
  static async start(options: LoadOptions): Promise<LoadThread> {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: options });
    await once(worker, "message");
    return new LoadThread(worker);
  }

  async stop(): Promise<LoadReport> {
    const answer = once(this.#worker, "message");
    this.#worker.postMessage("stop");
    const [report] = (await answer) as [LoadReport];
    await this.#worker.terminate();
    return report;
  }
}
