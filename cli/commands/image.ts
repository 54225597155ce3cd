import { LOCAL_IMAGES } from "../../contract/images.ts";
import { FAULT_KNOBS } from "../../images/reference-server/src/faults.ts";
import type { Register } from "./command.ts";

interface BuildFlags {
  readonly tag: string;
  readonly release?: string;
  readonly faults?: string;
  readonly schemaMin?: string;
  readonly schemaMax?: string;
  readonly base?: string;
}

/** image: what this project builds. */
export const registerImage: Register = (program, run) => {
  const image = program.command("image").description("the images that this project builds");
  image
    .command("build")
    .description("build the reference server, also as a bad release for a rehearsal")
    .option("--tag <tag>", "name of the image", LOCAL_IMAGES.referenceServer)
    .option("--release <name>", "what the server calls itself (default: the tag's version)")
    .option("--faults <knobs>", "faults that the image has from birth, e.g. errors=0.2")
    .option("--schema-min <version>", "lowest migration version that this release works with")
    .option("--schema-max <version>", "highest migration version that this release works with")
    .option("--base <image>", "base image", "debian:bookworm-slim")
    .addHelpText(
      "after",
      `\nFaults are a comma-separated list of:\n  ${Object.values(FAULT_KNOBS).join("\n  ")}\n
Example: a release that fails a fifth of its requests
  ./exai image build --tag exai/reference-server:bad --faults errors=0.2`,
    )
    .action(async (flags: BuildFlags) => {
      const { imageBuild } = await import("../verbs/image.ts");
      await run(imageBuild(flags));
    });
};
