import { TEST_IMAGES } from "../../contract/images.ts";
import { ensureImages } from "../../operations/images/ensure.ts";

/**
 * Once per run, before the files that start containers side by side: the images that they start. If that fails, those
 * files fail with Docker's own message; the others run.
 */
export default async function provideImages(): Promise<void> {
  try {
    for await (const event of ensureImages(TEST_IMAGES))
      if (event.type === "step" && event.status === "done")
        process.stdout.write(`${event.title}: ${event.detail ?? ""} (${(event.seconds ?? 0).toFixed(1)} s)\n`);
  } catch (error) {
    process.stderr.write(`images: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
