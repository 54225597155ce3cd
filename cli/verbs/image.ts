import type { Verb } from "../../contract/events.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { buildReferenceServer, type ReferenceServerOptions } from "../../operations/images/reference.ts";

/** `./exai image build`: builds the reference server, sound or with faults that a rehearsal needs. */
export async function* imageBuild(options: ReferenceServerOptions): Verb {
  if (options.faults && options.tag === LOCAL_IMAGES.referenceServer)
    throw new UserError(
      "invalid-argument",
      "--tag",
      `${options.tag} is the sound release`,
      `add --tag ${options.tag}-bad`,
    );
  const step = { type: "step", id: "image", title: `image ${options.tag}` } as const;
  const started = performance.now();
  yield { ...step, status: "started" };
  const outcome = await buildReferenceServer(options);
  const seconds = (performance.now() - started) / 1000;
  const detail = options.faults ? `with the faults ${options.faults}` : undefined;
  yield {
    ...step,
    status: outcome === "built" ? "done" : "unchanged",
    seconds,
    ...(detail === undefined ? {} : { detail }),
  };
  yield {
    type: "result",
    title: outcome === "built" ? "The image is built." : "The image is there already, unchanged.",
    data: { tag: options.tag, outcome, faults: options.faults ?? "" },
    next: [`./exai cutover --image ${options.tag}`],
  };
  return EXIT.ok;
}
