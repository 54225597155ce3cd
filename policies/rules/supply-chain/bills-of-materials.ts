import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";
import { runImages, verified, verifiesAny, verifiesSignatures } from "../../reading/verification.ts";

/** Attestation types that are a bill of materials: sigstore's short names, and the full ones. */
const BILLS = ["spdx", "spdxjson", "cyclonedx", "https://spdx.dev/Document", "https://cyclonedx.org/bom"] as const;

/** The components of each image are known. */
export const billsOfMaterials: StackRule = {
  name: "image-bills-of-materials",
  title: "The cluster admits only images with an attested bill of materials",
  level: "advisory",
  scope: "stack",
  onUnknown: "defer",
  only: { environments: ["staging", "prod"], reason: "local runs images that this machine built" },
  documentation:
    "A bill of materials shows which images contain a vulnerable component. It is an attestation that is stored next to the signature (`cosign attest --type spdxjson`) and verified together with it: an authority of the image's `ClusterImagePolicy` requires an attestation whose `predicateType` is SPDX or CycloneDX.",
  references: [
    { standard: "SLSA 1.0", item: "Verifying artifacts" },
    { standard: "NTIA", item: "Minimum elements for a software bill of materials" },
  ],
  *check(context) {
    if (!verifiesAny(context)) {
      const fix = "require one in the ClusterImagePolicy that verifies the image's signature";
      yield judgeAt({ object: "images", path: "" }, false, "no policy requires a bill of materials", fix);
      return;
    }
    for (const image of runImages(context))
      yield judgeAt(
        placeOf(subjectOf(image.resource), image.reader.path),
        verified(context, image, (authority) =>
          all(
            verifiesSignatures(authority),
            any(
              ...authority
                .at("attestations")
                .each()
                .map((attestation) => attestation.at("predicateType").is(...BILLS)),
            ),
          ),
        ),
        `no ClusterImagePolicy of the stack requires a bill of materials for image ${image.reader.shown}`,
        "require an attestation of type spdxjson or cyclonedx in the image's ClusterImagePolicy",
      );
  },
};
