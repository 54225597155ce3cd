import pc from "picocolors";
import type { ExaiEvent, StepStatus } from "../../contract/events.ts";
import { fit, sizeOf } from "./fit.ts";
import { liveView } from "./live.ts";
import { duration, tableLines, viewLines, type Renderer, type Streams } from "./renderer.ts";

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
  // What is piped elsewhere is a log, also while progress goes to a terminal.
  const live = sizeOf(out).terminal ? liveView(out) : undefined;
  const view = live?.show ?? viewLines(out);
  const clear = () => {
    if (open) err.write("\r\x1b[2K");
    open = false;
  };
  const show = (event: ExaiEvent) => {
    clear();
    if (event.type !== "view") live?.leave();
    switch (event.type) {
      case "step": {
        const running = event.status === "started" || event.status === "progress";
        const detail = event.detail === undefined ? "" : pc.dim(`  ${event.detail}`);
        const seconds = event.seconds === undefined ? "" : pc.dim(`  ${duration(event.seconds)}`);
        const line = `${MARKS[event.status]} ${event.title}${detail}${seconds}`;
        err.write(running ? fit(line, sizeOf(err).columns) : `${line}\n`);
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
      case "view":
        view(event);
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
