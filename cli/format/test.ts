import type { Counts } from "../results.ts";
import { heading, type Block } from "./block.ts";

/** `test`: one line that a script can read. */
export function formatTest({ passed, failed, skipped }: Counts): readonly Block[] {
  return [heading(`${String(passed)} passed, ${String(failed)} failed, ${String(skipped)} skipped`)];
}
