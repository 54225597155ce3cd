import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";
import { runImages, verified, verifiesAny, verifiesSignatures } from "../../reading/verification.ts";

/** Types of attestation that are a bill of materials, as sigstore abbreviates them and in full. */
const BILLS = ["spdx", "spdxjson", "cyclonedx", "https://spdx.dev/Document", "https://cyclonedx.org/bom"] as const;

/** What is in what runs is known. */
export const billsOfMaterials: StackRule = {
  name: "image-bills-of-materials",
  title: "The cluster admits images with an attested bill of materials alone",
  level: "advisory",
  scope: "stack",
  onUnknown: "defer",
  only: { environments: ["staging", "prod"], reason: "local runs images that this machine built" },
  documentation:
    "On the day of the next vulnerability the question is which images have it. The bill is an attestation beside the signature (`cosign attest --type spdxjson`), and is verified at the same place: an authority of the image's `ClusterImagePolicy` asks for an attestation whose `predicateType` is SPDX or CycloneDX.",
  references: [
    { standard: "SLSA 1.0", item: "Verifying artifacts" },
    { standard: "NTIA", item: "Minimum elements for a software bill of materials" },
  ],
  *check(context) {
    if (!verifiesAny(context)) {
      const fix = "ask for one in the ClusterImagePolicy that verifies the image's signature";
      yield judgeAt({ object: "images", path: "" }, false, "no bill of materials is asked for anywhere", fix);
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
        `nothing that the stack declares asks for a bill of materials of image ${image.reader.shown}`,
        "name an attestation of type spdxjson or cyclonedx in the image's ClusterImagePolicy",
      );
  },
};
