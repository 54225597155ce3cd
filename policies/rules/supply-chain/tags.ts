import { judge, type ResourceRule } from "../../model/rule.ts";
import { imagesOf, runsImages } from "../../reading/images.ts";

/** Which version runs is known. */
export const tags: ResourceRule = {
  name: "image-tags",
  title: "Images name a version: a digest, or a tag other than latest",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Without a tag the image is `latest`: two machines then run two versions, and a rollback has nothing to go back to.",
  references: [
    { standard: "CIS Docker 1.6.0", item: "5.28" },
    { standard: "Checkov", item: "CKV_K8S_14" },
  ],
  concerns: runsImages,
  *check(subject) {
    for (const image of imagesOf(subject)) {
      const holds = image.test(
        (value) =>
          typeof value === "string" &&
          (/@sha256:[0-9a-f]{64}$/.test(value) ||
            /:(?!latest$)[\w][\w.-]*$/.test(value.slice(value.lastIndexOf("/") + 1))),
      );
      yield judge(subject, image, holds, `image ${image.shown} names no version`, "name a version, best by digest");
    }
  },
};
