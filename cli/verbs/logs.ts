import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { containersOf } from "../local/engine.ts";
import { localStack, type Overrides } from "../local/project.ts";

export interface LogsOptions {
  readonly service?: string | undefined;
  readonly follow: boolean;
  /** Last lines of each service to begin with. */
  readonly tail: number;
}

/** Log lines of one service or of all, each with its service's name in front. */
export async function* logsLocal(stack: string, overrides: Overrides, options: LogsOptions, signal: AbortSignal): Verb {
  const { settings } = localStack(stack, overrides);
  const running = await containersOf(settings.instance);
  const chosen = [...running.values()].filter(
    (container) => options.service === undefined || container.component === options.service,
  );
  if (chosen.length === 0) {
    const known = [...running.keys()].sort().join(", ");
    throw new UserError(
      options.service ?? stack,
      known === "" ? "nothing runs" : `is no service that runs; there are: ${known}`,
      known === "" ? "./exai up" : "./exai status",
    );
  }
  const width = Math.max(...chosen.map((container) => container.component.length));
  const queue: string[] = [];
  let wake = () => undefined as void;
  const children = chosen.map((container) => {
    const child = spawn(
      "docker",
      ["logs", "--tail", String(options.tail), ...(options.follow ? ["--follow"] : []), container.id],
      { stdio: ["ignore", "pipe", "pipe"], signal },
    );
    child.on("error", () => undefined); // an abort is how following ends
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        queue.push(options.service === undefined ? `${container.component.padEnd(width)}  ${line}` : line);
        wake();
      });
    return once(child, "close");
  });
  let ended = false;
  void Promise.allSettled(children).then(() => {
    ended = true;
    wake();
  });
  for (;;) {
    while (queue.length > 0) yield { type: "text", text: queue.shift() ?? "" };
    if (ended || signal.aborted) return EXIT.ok;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}
