import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { runImages, unwatched, verified, verifiesAny, verifiesSignatures } from "../../reading/verification.ts";

/** The cluster verifies who built an image. */
export const signatures: StackRule = {
  name: "image-signatures",
  title: "The cluster admits only images with a verified signature",
  level: "advisory",
  scope: "stack",
  onUnknown: "defer",
  only: { environments: ["staging", "prod"], reason: "local runs images that this machine built" },
  documentation:
    "A signature is in a registry, which a plan does not access, and a check at build time does not cover what a node pulls later. Signatures are therefore verified when the cluster admits pods, and the rule checks that the stack declares this: a `ClusterImagePolicy` of sigstore's policy-controller for each image, not in mode `warn`, with a key or with named identities, and the label `policy.sigstore.dev/include: \"true\"` on the stack's namespaces.",
  references: [
    { standard: "SLSA 1.0", item: "Verifying artifacts" },
    { standard: "NSA/CISA Kubernetes Hardening", item: "Image signatures, admission control" },
    { standard: "Kubescape", item: "C-0237" },
  ],
  *check(context) {
    if (!verifiesAny(context)) {
      // One finding for all images if no policy is declared.
      const fix = "install sigstore's policy-controller, and declare a ClusterImagePolicy for the images of this stack";
      yield judgeAt({ object: "images", path: "" }, false, "image signatures are not verified", fix);
      return;
    }
    for (const { reader, resource } of unwatched(context))
      yield judgeAt(
        placeOf(subjectOf(resource), reader.path),
        reader.is("true"),
        "image signatures are not verified in this namespace",
        'set the label policy.sigstore.dev/include: "true", with the policy-controller in the cluster',
      );
    for (const image of runImages(context))
      yield judgeAt(
        placeOf(subjectOf(image.resource), image.reader.path),
        verified(context, image, verifiesSignatures),
        `no ClusterImagePolicy of the stack verifies a signature of image ${image.reader.shown}`,
        "declare a ClusterImagePolicy with the key or the identity of the signer",
      );
  },
};
