import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../contract/slots.ts";
import { freePorts } from "../../../tests/support/free-ports.ts";
import { usageOf, type Usage } from "./usage.ts";

/** Where a slot listens, reachable from this machine: `address:port`. */
export interface Backend {
  readonly http: string;
  readonly webSocket: string;
}

export type Backends = Readonly<Record<Slot, Backend>>;

/** A router under test: users on two ports, two slots behind it, and a way to move the weights. */
export interface Router {
  /** Name and version. */
  readonly title: string;
  /** How it is configured, as far as it matters here: one sentence. */
  readonly how: string;
  readonly routerUrl: string;
  readonly webSocketUrl: string;
  /**
   * Gives green so many percent of new requests, and blue the rest, in the way that the router's documentation has for
   * it.
   *
   * @returns milliseconds since 1970 at which the router received the weights.
   */
  shift(green: number): Promise<number>;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

/** A peer before it runs. */
export interface Peer {
  readonly name: string;
  /** Starts it with all weight on blue. `directory` is its own, and goes afterwards. */
  start(backends: Backends, directory: string): Promise<Router>;
}

/** Two free ports of the loopback address, and one for the router's own administration. */
export async function routerPorts(): Promise<{ http: number; webSocket: number; admin: number }> {
  const [http = 0, webSocket = 0, admin = 0] = await freePorts(3);
  return { http, webSocket, admin };
}

/** A router's process in the foreground. */
export class RouterProcess {
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor(child: ChildProcess, log: string) {
    this.#child = child;
    this.#log = log;
  }

  /** Starts the program and waits until it answers on its port. @throws Error with what it wrote */
  static async start(program: string, args: readonly string[], directory: string, url: string): Promise<RouterProcess> {
    const log = join(directory, "log");
    const output = openSync(log, "a");
    const child = spawn(program, args, {
      cwd: directory,
      stdio: ["ignore", output, output],
      env: { ...process.env, HOME: directory },
    });
    const started = new RouterProcess(child, log);
    const deadline = performance.now() + 20_000;
    for (;;) {
      const answered = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
        (response) => response.ok,
        () => false,
      );
      if (answered) return started;
      if (child.exitCode !== null || performance.now() > deadline) {
        child.kill("SIGKILL");
        throw new Error(`${program} does not answer on ${url}:\n${await readFile(log, "utf8")}`);
      }
      await sleep(100);
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  usage(): Promise<Usage> {
    return usageOf(this.pid);
  }

  /** What it has written. */
  async log(): Promise<string> {
    return readFile(this.#log, "utf8");
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3000);
    await exited;
    clearTimeout(timer);
  }
}
