import { command } from "../../contract/fix.ts";
import type { ImageBuildResult } from "../../operations/images/reference.ts";
import { heading, next, type Block } from "./block.ts";

/** `image build`. */
export function formatImageBuild({ tag, outcome }: ImageBuildResult): readonly Block[] {
  return [
    heading(outcome === "built" ? `image ${tag} is built` : `image ${tag} exists already, unchanged`),
    next(command(`cutover --image ${tag}`)),
  ];
}
