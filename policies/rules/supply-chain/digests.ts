import { judge, type ResourceRule } from "../../model/rule.ts";
import { imagesOf, runsImages } from "../../reading/images.ts";

/** The image that runs is the image that was tested. */
export const digests: ResourceRule = {
  name: "image-digests",
  title: "Images are pinned by digest in staging and prod",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  only: {
    environments: ["staging", "prod"],
    reason: "local pins images by version tag, so that a stand-in can replace an image",
  },
  documentation:
    "A tag can be moved after a review; `name@sha256:…` cannot. The digest of an image that the stack builds is unknown before apply; the audit of the state checks it.",
  references: [
    { standard: "CIS Docker 1.6.0", item: "5.28" },
    { standard: "Checkov", item: "CKV_K8S_43" },
  ],
  concerns: runsImages,
  *check(subject) {
    for (const image of imagesOf(subject))
      yield judge(
        subject,
        image,
        image.matches(/^[^@\s]+@sha256:[0-9a-f]{64}$/),
        `image ${image.shown} is not pinned by digest`,
        "pin it: docker buildx imagetools inspect <image> --format '{{.Manifest.Digest}}'",
      );
  },
};
