import { setTimeout as sleep } from "node:timers/promises";
import { SERVER_METRICS, SERVER_PATHS } from "../../../contract/server.ts";
import { docker } from "../../../operations/docker/cli.ts";
import { freePorts } from "../../../tests/support/free-ports.ts";

/** The server in a container of 512 MB, on the network of this machine. */
export class BenchServer {
  readonly url: string;
  readonly #container: string;

  private constructor(url: string, container: string) {
    this.url = url;
    this.#container = container;
  }

  /** Starts it and waits until it is ready. */
  static async start(image: string, environment: Readonly<Record<string, string>>): Promise<BenchServer> {
    const [http = 0, webSocket = 0] = await freePorts(2);
    const variables = { ...environment, EXAI_HTTP_PORT: String(http), EXAI_WS_PORT: String(webSocket) };
    const container = await docker([
      ...["run", "--detach", "--network", "host", "--read-only", "--memory", "512m", "--memory-swap", "512m"],
      ...Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
      image,
    ]);
    const server = new BenchServer(`http://127.0.0.1:${String(http)}`, container.trim());
    for (const deadline = performance.now() + 30_000; ;) {
      const answer = await fetch(server.url + SERVER_PATHS.ready).catch(() => undefined);
      if (answer?.status === 200) return server;
      if (performance.now() > deadline) throw new Error(await docker(["logs", server.#container]));
      await sleep(100);
    }
  }

  /** Watches the process' memory. @returns what ends it and gives the highest value, in bytes */
  watchMemory(): () => Promise<number> {
    let peak = 0;
    const stop = new AbortController();
    const watching = (async () => {
      while (!stop.signal.aborted) {
        const text = await (await fetch(this.url + SERVER_PATHS.metrics)).text();
        const line = text.split("\n").find((each) => each.startsWith(`${SERVER_METRICS.residentMemory} `));
        peak = Math.max(peak, Number(line?.split(" ")[1]));
        await sleep(200);
      }
    })();
    return async () => {
      stop.abort();
      await watching;
      return peak;
    };
  }

  /** Removes the container. @returns whether the kernel ended the process for its memory */
  async stop(): Promise<boolean> {
    const killed = (await docker(["inspect", "--format", "{{.State.OOMKilled}}", this.#container])).trim() === "true";
    await docker(["rm", "--force", this.#container]);
    return killed;
  }
}
