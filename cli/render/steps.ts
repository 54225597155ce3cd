import type { StepEvent, StepStatus } from "../../contract/events.ts";
import { stepText } from "../format/step.ts";
import { duration } from "./renderer.ts";
import { truncate, widthOf, type Terminal } from "./terminal.ts";

/** Prints steps. */
export interface StepPrinter {
  readonly show: (step: StepEvent) => void;
  /** Removes the line of the running step, so that something else can be printed. */
  readonly clear: () => void;
  /** Puts that line back. */
  readonly resume: () => void;
  readonly close: () => void;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
/** A step that runs for longer shows its seconds. */
const SHOWN_AFTER_SECONDS = 1;

interface Running {
  readonly event: StepEvent;
  readonly startedAt: number;
}

/** One line per step on a terminal, with a spinner while it runs; one line per event in a log. */
export function stepLines(err: NodeJS.WritableStream, terminal: () => Terminal): StepPrinter {
  const running = new Map<string, Running>();
  let shown = false;
  let last = "";
  let timer: NodeJS.Timeout | undefined;

  const clear = () => {
    if (shown) err.write("\r\x1b[2K");
    shown = false;
  };
  const draw = () => {
    const current = [...running.values()].at(-1);
    const { live, columns, colours } = terminal();
    if (!live || current === undefined) return;
    const seconds = (performance.now() - current.startedAt) / 1000;
    const frame = colours.cyan(FRAMES[Math.floor(performance.now() / FRAME_MS) % FRAMES.length] ?? "·");
    const others = running.size > 1 ? colours.dim(` (and ${String(running.size - 1)} more)`) : "";
    // One column less: a full line would leave the cursor on the next one in some terminals.
    const line = stepLine(frame, current.event, seconds < SHOWN_AFTER_SECONDS ? undefined : seconds, others, {
      colours,
      columns: columns === undefined ? undefined : columns - 1,
    });
    err.write(`\r\x1b[2K${line}`);
    shown = true;
  };
  const resume = () => {
    draw();
    if (running.size === 0 || !terminal().live) {
      clearInterval(timer);
      timer = undefined;
    } else timer ??= setInterval(draw, FRAME_MS).unref();
  };
  const show = (event: StepEvent) => {
    const active = event.status === "started" || event.status === "progress";
    const { live, columns, colours } = terminal();
    if (!live) {
      const line = `[${event.status}] ${event.title}${detailOf(event)}${secondsOf(event)}`;
      // A step that reports the same progress twice says it once.
      if (line !== last) err.write(`${line}\n`);
      last = line;
      return;
    }
    const startedAt = running.get(event.id)?.startedAt ?? performance.now();
    running.delete(event.id);
    if (active) running.set(event.id, { event, startedAt });
    else {
      clear();
      err.write(`${stepLine(markOf(event.status, colours), event, event.seconds, "", { colours, columns })}\n`);
    }
    resume();
  };
  return {
    show,
    clear,
    resume,
    close: () => {
      running.clear();
      clear();
      resume();
    },
  };
}

function markOf(status: StepStatus, colours: Terminal["colours"]): string {
  const marks: Readonly<Record<StepStatus, string>> = {
    started: colours.cyan("·"),
    progress: colours.cyan("·"),
    done: colours.green("✓"),
    unchanged: colours.dim("="),
    skipped: colours.yellow("-"),
    failed: colours.red("✗"),
  };
  return marks[status];
}

/** Mark, title, as much of the detail as fits, and the seconds. */
function stepLine(
  mark: string,
  event: StepEvent,
  seconds: number | undefined,
  end: string,
  { columns, colours }: Pick<Terminal, "columns" | "colours">,
): string {
  const head = `${mark} ${event.title}`;
  const tail = `${seconds === undefined ? "" : colours.dim(`  ${duration(seconds)}`)}${end}`;
  const text = stepText(event).replaceAll(/\s*\n\s*/g, "; ");
  const room = columns === undefined ? undefined : columns - widthOf(head) - widthOf(tail) - 2;
  const middle = text === "" || (room !== undefined && room < 4) ? "" : colours.dim(`  ${truncate(text, room)}`);
  return truncate(`${head}${middle}${tail}`, columns);
}

function detailOf(event: StepEvent): string {
  const text = stepText(event);
  return text === "" ? "" : `: ${text}`;
}

function secondsOf({ seconds }: StepEvent): string {
  return seconds === undefined ? "" : ` (${duration(seconds)})`;
}
