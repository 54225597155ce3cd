import { escapeJson } from "./escape.ts";
import type { Renderer, Streams } from "./renderer.ts";

/** One JSON object per line, as `docs/events.md` describes them. */
export function jsonRenderer({ out }: Streams): Renderer {
  return {
    show: ({ type, at, ...rest }) => void out.write(`${escapeJson(JSON.stringify({ type, at, ...rest }))}\n`),
    close: () => undefined,
  };
}
