import type { Fix } from "../../contract/fix.ts";
import type { Block } from "../format/block.ts";
import type { PrintedEvent } from "../events.ts";
import { errorLines, fixLine } from "../format/error.ts";
import { blocksOf } from "../format/index.ts";
import { blocksText } from "./blocks.ts";
import { escapeAll } from "./escape.ts";
import { liveView } from "./live.ts";
import type { Renderer, Streams } from "./renderer.ts";
import { stepLines, type StepPrinter } from "./steps.ts";
import { terminalOf, wrap, type Terminal } from "./terminal.ts";

/**
 * For people. On a terminal the running step has a line that is rewritten until it ends; in a log, and with `plain`, each
 * event is a separate line.
 */
export function textRenderer({ out, err }: Streams, plain = false): Renderer {
  const outTerminal = (): Terminal => terminalOf(out, plain);
  const errTerminal = (): Terminal => terminalOf(err, plain);
  const steps: StepPrinter = stepLines(err, errTerminal);
  const view = liveView(out, outTerminal);
  const print = (blocks: readonly Block[]) => void out.write(blocksText(blocks, outTerminal()));
  const say = (mark: string, lines: readonly string[], fix?: Fix) => {
    const { columns } = errTerminal();
    const indent = mark.length === 0 ? undefined : 2;
    for (const [index, line] of lines.entries())
      for (const text of wrap(index === 0 ? `${mark}${line}` : line, columns, index === 0 ? indent : undefined))
        err.write(`${text}\n`);
    // Not wrapped, so that its commands can be copied.
    if (fix !== undefined) err.write(`  ${fixLine(fix)}\n`);
  };

  const show = (given: PrintedEvent) => {
    const event = escapeAll(given);
    if (event.type === "step") {
      steps.show(event);
      return;
    }
    steps.clear();
    if (event.type !== "view") view.leave();
    const { colours, live } = errTerminal();
    switch (event.type) {
      case "note": {
        const mark = live
          ? event.level === "warning"
            ? colours.yellow("! ")
            : colours.blue("i ")
          : `[${event.level}] `;
        say(mark, [event.message], event.fix);
        break;
      }
      case "error":
        say(colours.red("error: "), errorLines(event), event.code === "internal" ? undefined : event.fix);
        break;
      case "log":
        out.write(`${event.service}  ${event.line}\n`);
        break;
      case "view":
        view.show(event);
        break;
      case "result":
        if (outTerminal().live) out.write("\n");
        print(blocksOf(event, event.at));
    }
    steps.resume();
  };
  return {
    show,
    close: () => {
      steps.close();
      view.leave();
    },
  };
}
