import { all, not } from "../../model/truth.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { imagesOf, runsImages } from "../../reading/images.ts";

/** Registries whose images may run in staging and prod. */
export const APPROVED_REGISTRIES = [
  "docker.io",
  "ghcr.io",
  "quay.io",
  "registry.k8s.io",
  "gcr.io",
  "public.ecr.aws",
] as const;

/** Images come from approved registries. */
export const registries: ResourceRule = {
  name: "image-registries",
  title: "Images come from approved registries",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  only: { environments: ["staging", "prod"], reason: "local runs images that this machine built" },
  documentation: `Approved are ${APPROVED_REGISTRIES.join(", ")}, and the private registries of Amazon (\`*.dkr.ecr.*.amazonaws.com\`), Google (\`*.pkg.dev\`) and Azure (\`*.azurecr.io\`). An image without a registry is from Docker Hub. Use a waiver for any other registry.`,
  references: [
    { standard: "Kyverno", item: "restrict-image-registries" },
    { standard: "Kubescape", item: "C-0078" },
  ],
  concerns: runsImages,
  *check(subject) {
    for (const image of imagesOf(subject))
      yield judge(
        subject,
        image,
        all(image.isPresent, not(image.test((value) => typeof value !== "string" || !approved(registryOf(value))))),
        `image ${image.shown} is from a registry that is not approved`,
        `use one of ${APPROVED_REGISTRIES.join(", ")}`,
      );
  },
};

/** The registry of an image reference, as Docker parses it: the first component, if it has the form of a host. */
export function registryOf(reference: string): string {
  const slash = reference.indexOf("/");
  const first = slash === -1 ? "" : reference.slice(0, slash);
  return /[.:]/.test(first) || first === "localhost" ? first : "docker.io";
}

function approved(registry: string): boolean {
  return (
    (APPROVED_REGISTRIES as readonly string[]).includes(registry) ||
    /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com$/.test(registry) ||
    /^[a-z0-9-]+\.pkg\.dev$/.test(registry) ||
    /^[a-z0-9]+\.azurecr\.io$/.test(registry)
  );
}
