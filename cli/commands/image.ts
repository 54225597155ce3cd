import { EXIT, UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { timed } from "../../contract/timed.ts";
import { FAULT_KNOBS } from "../../images/reference-server/src/faults.ts";
import {
  buildReferenceServer,
  type ImageBuildResult,
  type ReferenceServerOptions,
} from "../../operations/images/reference.ts";
import { resultOf, type Verb } from "../events.ts";
import type { Register } from "./command.ts";

/** image: the images that this project builds. */
export const registerImage: Register = (program, run) => {
  const image = program.command("image").description("build the images of this project");
  image
    .command("build")
    .description("build the reference server; with --faults, a bad release for a rehearsal")
    .option("--tag <tag>", "name of the image", LOCAL_IMAGES.referenceServer)
    .option("--release <name>", "release that the server reports (default: the version in the tag)")
    .option("--faults <knobs>", "faults that the image always has, for example errors=0.2")
    .option("--schema-min <version>", "lowest migration version that this release works with")
    .option("--schema-max <version>", "highest migration version that this release works with")
    .option("--base <image>", "base image", "debian:bookworm-slim")
    .addHelpText(
      "after",
      `\nFaults are a comma-separated list of:\n  ${Object.values(FAULT_KNOBS).join("\n  ")}\n
Exit codes: 0 built or unchanged, 2 failed.

Example: a release that fails 20 % of its requests
  ./exai image build --tag exai/reference-server:bad --faults errors=0.2`,
    )
    .action(async (flags: ReferenceServerOptions) => {
      await run((signal) => imageBuild({ ...flags, signal }));
    });
};

/** `image build`. @throws UserError if a bad release would replace the good one */
export function imageBuild(options: ReferenceServerOptions): Verb {
  return resultOf("image build", build(options), () => EXIT.ok);
}

async function* build(options: ReferenceServerOptions): Operation<ImageBuildResult> {
  const { tag, faults = "" } = options;
  if (faults !== "" && tag === LOCAL_IMAGES.referenceServer)
    throw new UserError("invalid-argument", "--tag", `${tag} is the release without faults`, `add --tag ${tag}-bad`);
  const outcome = yield* timed(
    "image",
    `image ${tag}`,
    () => buildReferenceServer(options),
    (built) => ({
      ...(built === "unchanged" ? { status: "unchanged" } : {}),
      ...(faults === "" ? {} : { detail: `with the faults ${faults}` }),
    }),
  );
  return { tag, outcome, faults };
}
