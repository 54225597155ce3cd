import type { ExaiEvent } from "../../contract/events.ts";
import { duration, tableLines, viewLines, type Renderer, type Streams } from "./renderer.ts";

/** One line per event, without color or cursor movements: for logs and pipes. */
export function plainRenderer({ out, err }: Streams): Renderer {
  let last = "";
  const view = viewLines(out);
  const progress = (text: string) => {
    // A step that reports the same progress twice says it once.
    if (text !== last) err.write(`${text}\n`);
    last = text;
  };
  const show = (event: ExaiEvent) => {
    switch (event.type) {
      case "step": {
        const detail = event.detail === undefined ? "" : `: ${event.detail}`;
        const seconds = event.seconds === undefined ? "" : ` (${duration(event.seconds)})`;
        progress(`[${event.status}] ${event.title}${detail}${seconds}`);
        return;
      }
      case "note":
        progress(`[${event.level}] ${event.message}`);
        return;
      case "table":
        if (event.title !== undefined) out.write(`${event.title}\n`);
        for (const line of tableLines(event.columns, event.rows)) out.write(`${line}\n`);
        return;
      case "text":
        out.write(event.text.endsWith("\n") ? event.text : `${event.text}\n`);
        return;
      case "view":
        view(event);
        return;
      case "result":
        out.write(`${event.title}\n`);
        for (const command of event.next ?? []) out.write(`  next: ${command}\n`);
    }
  };
  return { show, fail: (message) => void err.write(`error: ${message}\n`), close: () => undefined };
}
