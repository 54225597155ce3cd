import { UserError } from "../../contract/errors.ts";
import { NoSuchImageError, registryLabels, type RegistryOptions } from "../../operations/images/labels.ts";
import { registryOf } from "../../operations/images/registry.ts";
import { hasDigest } from "../../stacks/settings/checks.ts";

/**
 * Where a cluster would get a release from. The cluster pulls with its own credentials, so a registry that this machine cannot
 * reach, or that refuses it, is not an error.
 *
 * @throws UserError if no cluster could deploy it: it has only a tag, or its registry does not have it
 */
export async function locateRelease(image: string, options: RegistryOptions): Promise<string> {
  if (!hasDigest(image))
    throw new UserError(
      "invalid-argument",
      `image ${image}`,
      "has no digest; a tag can be moved, so staging and prod take images by digest",
      `docker buildx imagetools inspect ${image} --format '{{.Manifest.Digest}}', then --image ${image}@<digest>`,
    );
  try {
    await registryLabels(image, options);
    return "in its registry";
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof NoSuchImageError || !(error instanceof UserError)) throw error;
    return `${registryOf(image)} cannot be asked from here`;
  }
}
