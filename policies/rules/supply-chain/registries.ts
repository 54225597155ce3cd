import { all, not } from "../../model/truth.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { imageName } from "../../reading/kubernetes/image-names.ts";
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
  documentation: `Approved are ${APPROVED_REGISTRIES.join(", ")}, and the private registries of Amazon (\`*.dkr.ecr.*.amazonaws.com\`, and \`.com.cn\`), Google (\`*.pkg.dev\`) and Azure (\`*.azurecr.io\`). An image without a registry is from Docker Hub, which is also called index.docker.io. A first part with an upper-case letter is a registry. Use a waiver for any other registry.`,
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
        all(
          image.isPresent,
          not(image.test((value) => typeof value !== "string" || !approved(imageName(value)?.registry))),
        ),
        `image ${image.shown} is from a registry that is not approved`,
        `use one of ${APPROVED_REGISTRIES.join(", ")}`,
      );
  },
};

function approved(registry: string | undefined): boolean {
  if (registry === undefined) return false;
  return (
    (APPROVED_REGISTRIES as readonly string[]).includes(registry) ||
    /^\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/.test(registry) ||
    /^[a-z0-9-]+\.pkg\.dev$/.test(registry) ||
    /^[a-z0-9-]+\.azurecr\.(io|cn)$/.test(registry)
  );
}
