import pc from "picocolors";
import type { ViewEvent } from "../../contract/events.ts";
import { fit, shownLength, sizeOf } from "./fit.ts";
import { tableLines } from "./renderer.ts";

/** A view that stays in its place: each one is written over the one before, in one write so that it does not flicker. */
export interface LiveView {
  readonly show: (event: ViewEvent) => void;
  /** What was shown last stays; the next view begins below it. */
  readonly leave: () => void;
}

export function liveView(out: NodeJS.WritableStream): LiveView {
  let before: readonly string[] = [];
  return {
    show: (event) => {
      const { columns, rows } = sizeOf(out);
      const lines = linesOf(event)
        .slice(0, rows - 1)
        .map((line) => fit(line, columns));
      // A terminal that was made narrower has wrapped what stands there.
      const height = before.reduce((sum, line) => sum + Math.max(1, Math.ceil(shownLength(line) / columns)), 0);
      const up = height === 0 ? "" : `\x1b[${String(Math.min(height, rows - 1))}A`;
      out.write(`${up}\r${lines.map((line) => `\x1b[2K${line}\n`).join("")}\x1b[J`);
      before = lines;
    },
    leave: () => {
      before = [];
    },
  };
}

function linesOf({ title, columns, rows, details }: ViewEvent): string[] {
  const [head = "", rule = "", ...body] = tableLines(columns, rows);
  return [pc.bold(title), "", pc.bold(head), pc.dim(rule), ...body, "", ...details];
}
