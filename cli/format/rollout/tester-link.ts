import type { TesterLink } from "../../../operations/rollout/commands/tester-link.ts";
import { heading, type Block } from "../block.ts";

/** `rollout tester-link`. Link and header are not wrapped, so that they can be copied. */
export function formatTesterLink({ slot, expiresAt, url, header }: TesterLink): readonly Block[] {
  const text = [
    "in a browser (stores a cookie):",
    `  ${url}`,
    "as a header of HTTP, MCP and WebSocket requests:",
    `  ${header}`,
  ].join("\n");
  return [heading(`access to ${slot} until ${expiresAt}, for any client with this token`), { type: "document", text }];
}
