import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { RECORDING } from "../../../contract/server.ts";
import type { Slot } from "../../../contract/slots.ts";
import type { Session } from "../../session.ts";

/** How long a program may take to end after it was asked to, milliseconds. */
const END_MS = 10_000;

/** What kubectl adds to what the program said. */
const ENDED = /^command terminated with exit code \d+$/;

/** What kubectl says of a Deployment without pods, such as that of a drained slot. */
const NO_POD = "timed out waiting for the condition";

/** What the program of {@link RECORDING} writes in one slot. It ends at the latest with this process, which holds its standard input. */
export class Reading {
  readonly slot: Slot;
  /** Resolves when the program has ended and all of its lines are handled. */
  readonly ended: Promise<void>;
  /** Resolves with whether the server records, once it is known. */
  readonly begun: Promise<boolean>;
  /** Transactions that this machine was too slow for; undefined until the recording has ended as it should. */
  dropped: number | undefined;
  #problem = "";
  #begin: (records: boolean) => void = () => undefined;
  readonly #child;
  #killer: NodeJS.Timeout | undefined;

  /** @param line handles a transaction; the next one waits for it */
  constructor(slot: Slot, { program, args, env }: Session, line: (text: string) => Promise<void>) {
    this.slot = slot;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    // In a separate process group: Ctrl-C is for this process, which then asks for the last lines.
    this.#child = spawn(program, args, { stdio: "pipe", detached: true, env: { ...process.env, ...env } });
    this.#child.stdin.on("error", () => undefined);
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#problem = (this.#problem + text).slice(-2000);
    });
    this.ended = this.#read(line);
    // Its reader may look later.
    this.ended.catch(() => undefined);
  }

  /** Why it recorded nothing, or ended early. */
  get problem(): string {
    const lines = this.#problem.split("\n").map((line) => line.trim());
    const said = lines.findLast((line) => line !== "" && !ENDED.test(line)) ?? "the program ended early";
    return said.includes(NO_POD) ? "it has no pod that runs" : said;
  }

  /** Ends the recording. What was recorded until now still comes. */
  stop(): void {
    this.#child.stdin.end();
    this.#killer ??= setTimeout(() => this.#child.kill("SIGKILL"), END_MS);
  }

  async #read(line: (text: string) => Promise<void>): Promise<void> {
    const closed = once(this.#child, "close").catch((error: unknown) => {
      this.#problem = String(error);
    });
    try {
      for await (const text of createInterface({ input: this.#child.stdout, crlfDelay: Infinity }))
        if (/^\{"recording":true\}$/.test(text)) this.#begin(true);
        else if (/^\{"dropped":\d+\}$/.test(text)) this.dropped = Number(text.slice(11, -1));
        else if (text !== "") await line(text);
    } finally {
      // A program that goes on after an error here would block on its output.
      this.#child.stdout.resume();
      this.stop();
      await closed;
      clearTimeout(this.#killer);
      this.#begin(false);
    }
  }
}

/** The command that records in the container of a slot. */
export function recordCommand(seconds: number, share: number): readonly string[] {
  return [RECORDING.program, String(seconds), String(share)];
}
