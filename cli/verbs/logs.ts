import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { containersOf } from "../../platforms/compose/containers.ts";
import { localStack, type Overrides } from "../../platforms/compose/project.ts";

export interface LogsOptions {
  readonly service?: string | undefined;
  readonly follow: boolean;
  /** Last lines of each service to begin with. */
  readonly tail: number;
}

/** Log lines of one service or of all, each with its service's name in front. */
export async function* logsLocal(stack: string, overrides: Overrides, options: LogsOptions, signal: AbortSignal): Verb {
  if (!Number.isInteger(options.tail) || options.tail < 0)
    throw new UserError("invalid-argument", "--tail", "is no number of lines", "./exai logs --tail 50");
  const { settings } = localStack(stack, overrides);
  const running = await containersOf(settings.instance);
  const chosen = [...running.values()].filter(
    (container) => options.service === undefined || container.component === options.service,
  );
  if (chosen.length === 0) {
    const known = [...running.keys()].sort().join(", ");
    throw new UserError(
      "failed",
      options.service ?? stack,
      known === "" ? "nothing runs" : `is no service that runs; there are: ${known}`,
      known === "" ? "./exai up" : "./exai status",
    );
  }
  const width = Math.max(...chosen.map((container) => container.component.length));
  const lines = new PassThrough({ objectMode: true });
  const children = chosen.map((container) => {
    const child = spawn(
      "docker",
      ["logs", "--tail", String(options.tail), ...(options.follow ? ["--follow"] : []), container.id],
      { stdio: ["ignore", "pipe", "pipe"], signal },
    );
    child.on("error", () => undefined); // an abort is how following ends
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) =>
        lines.write(options.service === undefined ? `${container.component.padEnd(width)}  ${line}` : line),
      );
    return once(child, "close");
  });
  void Promise.allSettled(children).then(() => lines.end());
  for await (const text of lines as AsyncIterable<string>) yield { type: "text", text };
  return EXIT.ok;
}
