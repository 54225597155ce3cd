import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { UserError } from "../../../contract/errors.ts";
import type { LogEvent } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { LogsOptions } from "../../platform.ts";
import { containersOf } from "../containers.ts";
import type { DockerStack } from "../project.ts";

/** Log lines of one service or of all. */
export async function* composeLogs(stack: DockerStack, options: LogsOptions): AsyncGenerator<LogEvent, void, void> {
  const { service, follow, tail, signal } = options;
  const running = await containersOf(stack.settings.instance);
  const chosen = [...running.values()].filter(({ component }) => service === undefined || component === service);
  if (chosen.length === 0) {
    const known = [...running.keys()].sort().join(", ");
    throw known === ""
      ? new UserError("not-found", service ?? stack.declared.name, "no service runs", fix`${command("up")}`)
      : new UserError(
          "not-found",
          service ?? "",
          `is not a running service; these run: ${known}`,
          fix`${command("status")}`,
        );
  }
  const lines = new PassThrough({ objectMode: true });
  const children = chosen.map((container) => {
    const words = ["logs", "--tail", String(tail), ...(follow ? ["--follow"] : []), container.id];
    const child = spawn("docker", words, { stdio: ["ignore", "pipe", "pipe"], signal });
    child.on("error", () => undefined); // following ends by an abort
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) =>
        lines.write({ type: "log", service: container.component, line } satisfies LogEvent),
      );
    return once(child, "close");
  });
  void Promise.allSettled(children).then(() => lines.end());
  yield* lines as AsyncIterable<LogEvent>;
}
