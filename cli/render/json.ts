import type { Renderer, Streams } from "./renderer.ts";

/** One JSON object per line, for programs: every event as it comes, failures as `{"type":"error"}`. */
export function jsonRenderer({ out }: Streams): Renderer {
  const line = (value: unknown) => out.write(`${JSON.stringify(value)}\n`);
  return {
    show: (event) => line(event),
    fail: (message) => line({ type: "error", message }),
    close: () => undefined,
  };
}
