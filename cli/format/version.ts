import type { VersionResult } from "../results.ts";
import { lines, type Block } from "./block.ts";

/** `--version`. */
export function formatVersion({ version, commit, node }: VersionResult): readonly Block[] {
  return [lines(`exai ${version} (${commit === undefined ? "" : `commit ${commit}, `}Node ${node})`)];
}
