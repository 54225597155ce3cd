import type { PrintedEvent } from "../events.ts";

/** Prints events. Standard output carries results, logs and views; progress and errors go to standard error. */
export interface Renderer {
  show(event: PrintedEvent): void;
  /** Leaves the terminal ready for the shell. */
  close(): void;
}

export interface Streams {
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
}

/** Seconds for a person: `0.4 s`, `12 s`, `3 min 5 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const rounded = Math.round(seconds);
  return rounded <= 60 ? `${String(rounded)} s` : `${String(Math.floor(rounded / 60))} min ${String(rounded % 60)} s`;
}
