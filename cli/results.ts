import type { ImageBuildResult } from "../operations/images/reference.ts";

/**
 * The data of each verb's result: what `--json` prints, and what `cli/format` puts into words. `docs/events.md` and
 * `docs/events.schema.json` are generated from it.
 */
export interface Results {
  "image build": ImageBuildResult;
}

/** The data of the views of each verb that has some. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Views {}
