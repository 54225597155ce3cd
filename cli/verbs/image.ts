import type { Operation } from "../../contract/events.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { timed } from "../../contract/timed.ts";
import {
  buildReferenceServer,
  type ImageBuildResult,
  type ReferenceServerOptions,
} from "../../operations/images/reference.ts";
import { resultOf, type Verb } from "../events.ts";

/** `./exai image build`: builds the reference server, with the faults that a rehearsal needs if some are given. */
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
