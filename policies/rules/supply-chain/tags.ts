import { judge, type ResourceRule } from "../../model/rule.ts";
import { imagesOf, runsImages } from "../../reading/images.ts";

/** Images have a version. */
export const tags: ResourceRule = {
  name: "image-tags",
  title: "Images have a version: a digest, or a tag other than latest",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "An image without a tag is `latest`: two machines may then run different versions, and a rollback has no previous version.",
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
      yield judge(subject, image, holds, `image ${image.shown} has no version`, "add a digest or a version tag");
    }
  },
};
