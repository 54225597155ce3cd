import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { VerbEvent } from "../verbs.ts";
import type { Journal } from "../../../operations/rollout/model/journal.ts";
import type { Job, PrintedError } from "./child.ts";
import { until, type RolloutStack } from "./stack.ts";
import { stateLabel } from "../../../operations/rollout/model/labels.ts";

/** What a controller's process left behind. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly events: readonly VerbEvent[];
  /** What it said at its end, where an error ended it. */
  readonly error: string;
}

/** A controller in a separate process. */
export class Controller {
  readonly #child: ChildProcess;
  readonly #events: VerbEvent[] = [];
  readonly #exited: Promise<unknown>;
  #error = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "close");
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const printed = JSON.parse(line) as VerbEvent | PrintedError;
        if ("error" in printed) this.#error = printed.error;
        else this.#events.push(printed);
      });
    }
  }

  /** Starts one on a stack; `env` is added to its environment. */
  static start(stack: RolloutStack, job: Omit<Job, "facts">, env: Readonly<Record<string, string>> = {}): Controller {
    const { name, home, routerUrl, webSocketUrl, observeUrl, prometheusUrl, routesDirectory } = stack;
    const facts = { name, home, routerUrl, webSocketUrl, observeUrl, prometheusUrl, routesDirectory };
    const script = join(import.meta.dirname, "child.ts");
    const child = spawn(process.execPath, [script, JSON.stringify({ ...job, facts })], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    return new Controller(child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async ended(): Promise<Ended> {
    await this.#exited;
    return { code: this.#child.exitCode, events: this.#events, error: this.#error };
  }

  /** Waits until the journal's state has a label such as `shift 20 %`. @throws Error when the controller ends before */
  async reaches(stack: RolloutStack, label: string): Promise<void> {
    await until(`the journal in "${label}"`, 120, () => {
      const journal = readJournal(stack.home);
      if (journal !== undefined && stateLabel(journal.machine) === label) return Promise.resolve(true);
      if (this.running) return Promise.resolve(false);
      throw new Error(`the controller ended with ${String(this.#child.exitCode)}: ${this.#error}`);
    });
  }
}

/** The journal of a stack as its file has it; undefined where there is none. */
export function readJournal(home: string): Journal | undefined {
  try {
    return JSON.parse(readFileSync(join(home, "rollout/journal.json"), "utf8")) as Journal;
  } catch {
    return undefined;
  }
}
