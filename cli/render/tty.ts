import pc from "picocolors";
import type { ExaiEvent, StepStatus } from "../../contract/events.ts";
import { duration, tableLines, type Renderer, type Streams } from "./renderer.ts";

const MARKS: Readonly<Record<StepStatus, string>> = {
  started: pc.cyan("·"),
  progress: pc.cyan("·"),
  done: pc.green("✓"),
  unchanged: pc.dim("="),
  skipped: pc.yellow("-"),
  failed: pc.red("✗"),
};

/** For a person: each step has one line that is rewritten until it ends. */
export function ttyRenderer({ out, err }: Streams): Renderer {
  /** Whether the last line is a step's that has not ended. */
  let open = false;
  const clear = () => {
    if (open) err.write("\r\x1b[2K");
    open = false;
  };
  const show = (event: ExaiEvent) => {
    clear();
    switch (event.type) {
      case "step": {
        const running = event.status === "started" || event.status === "progress";
        const detail = event.detail === undefined ? "" : pc.dim(`  ${event.detail}`);
        const seconds = event.seconds === undefined ? "" : pc.dim(`  ${duration(event.seconds)}`);
        const line = `${MARKS[event.status]} ${event.title}${detail}${seconds}`;
        err.write(running ? fit(line, err) : `${line}\n`);
        open = running;
        return;
      }
      case "note":
        err.write(
          event.level === "warning" ? `${pc.yellow("!")} ${event.message}\n` : `${pc.blue("i")} ${event.message}\n`,
        );
        return;
      case "table": {
        const [head = "", rule = "", ...rows] = tableLines(event.columns, event.rows);
        if (event.title !== undefined) out.write(`${pc.bold(event.title)}\n`);
        out.write(`${pc.bold(head)}\n${pc.dim(rule)}\n${rows.map((row) => `${row}\n`).join("")}`);
        return;
      }
      case "text":
        out.write(event.text.endsWith("\n") ? event.text : `${event.text}\n`);
        return;
      case "result":
        out.write(`\n${pc.bold(event.title)}\n`);
        for (const command of event.next ?? []) out.write(`  ${pc.dim("next")}  ${command}\n`);
    }
  };
  return {
    show,
    fail: (message) => {
      clear();
      err.write(`${pc.red("error")} ${message}\n`);
    },
    close: clear,
  };
}

/** Cuts a line that would wrap: a wrapped line cannot be rewritten. Escape sequences take no room. */
function fit(line: string, stream: NodeJS.WritableStream): string {
  const width = (stream as Partial<NodeJS.WriteStream>).columns ?? 120;
  let room = width - 1;
  let cut = "";

  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith("\x1b")) cut += part;
    else {
      cut += part.slice(0, Math.max(room, 0));
      room -= part.length;
    }
  }
  return cut;
}
