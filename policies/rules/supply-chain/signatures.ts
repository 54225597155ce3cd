import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { runImages, unwatched, verified, verifiesAny, verifiesSignatures } from "../../reading/verification.ts";

/** Who built what runs is known where it runs. */
export const signatures: StackRule = {
  name: "image-signatures",
  title: "The cluster admits images by a verified signature alone",
  level: "advisory",
  scope: "stack",
  onUnknown: "defer",
  only: { environments: ["staging", "prod"], reason: "local runs images that this machine built" },
  documentation:
    "A signature is in a registry, and a plan reaches none; what a check at build time saw is not what a node pulls later. So the place to verify is the admission of pods, and what the rule asks is that the stack declares it: a `ClusterImagePolicy` of sigstore's policy-controller for each image that runs, not in mode `warn`, with a key or with named identities, and the label `policy.sigstore.dev/include: \"true\"` on the stack's namespaces.",
  references: [
    { standard: "SLSA 1.0", item: "Verifying artifacts" },
    { standard: "NSA/CISA Kubernetes Hardening", item: "Image signatures, admission control" },
    { standard: "Kubescape", item: "C-0237" },
  ],
  *check(context) {
    if (!verifiesAny(context)) {
      // One place for all of them: who declares nothing is told once.
      const fix = "install sigstore's policy-controller, and declare a ClusterImagePolicy for the images of this stack";
      yield judgeAt({ object: "images", path: "" }, false, "no signature of an image is verified anywhere", fix);
      return;
    }
    for (const { reader, resource } of unwatched(context))
      yield judgeAt(
        placeOf(subjectOf(resource), reader.path),
        reader.is("true"),
        "no signature of an image is verified in this namespace",
        'set the label policy.sigstore.dev/include: "true", with the policy-controller in the cluster',
      );
    for (const image of runImages(context))
      yield judgeAt(
        placeOf(subjectOf(image.resource), image.reader.path),
        verified(context, image, verifiesSignatures),
        `nothing that the stack declares verifies a signature of image ${image.reader.shown}`,
        "declare a ClusterImagePolicy with the key or the identity of who signs it",
      );
  },
};
