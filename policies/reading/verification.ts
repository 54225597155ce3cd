import type { Resource } from "../../contract/graph.ts";
import { objectsOf } from "./kubernetes/objects.ts";
import { bearsPods } from "./kubernetes/pods.ts";
import type { Reader } from "../model/reader.ts";
import { subjectOf, type StackContext } from "../model/rule.ts";
import { all, any, type Truth } from "../model/truth.ts";
import { imageName } from "./kubernetes/image-names.ts";
import { imagesOf } from "./images.ts";

/** An image that pods of the stack run, and the first place that names it. */
export interface RunImage {
  readonly reader: Reader;
  readonly resource: Resource;
}

/** The distinct images that the stack's pods run. */
export function runImages(context: StackContext): readonly RunImage[] {
  const found = new Map<string, RunImage>();
  for (const resource of context.graph.resources.filter(bearsPods))
    for (const reader of imagesOf(subjectOf(resource))) {
      const key = reader.text ?? `${resource.urn} ${reader.path}`;
      if (!found.has(key)) found.set(key, { reader, resource });
    }
  return [...found.values()];
}

/** Whether the stack declares a policy that verifies images. */
export function verifiesAny(context: StackContext): boolean {
  return objectsOf(context, "ClusterImagePolicy").length > 0;
}

/**
 * Whether a `ClusterImagePolicy` of sigstore's policy-controller in the stack matches an image, is enforced, and has an
 * authority that satisfies a condition.
 */
export function verified(context: StackContext, image: RunImage, authority: (reader: Reader) => Truth): Truth {
  return any(
    ...objectsOf(context, "ClusterImagePolicy").map(({ inputs }) => {
      const spec = inputs.at("spec");
      return all(
        spec.at("mode").isAbsentOr("enforce"),
        any(
          ...spec
            .at("images")
            .each()
            .map((pattern) => covers(pattern.at("glob"), image.reader)),
        ),
        any(...spec.at("authorities").each().map(authority)),
      );
    }),
  );
}

/** Whether an authority verifies signatures, with a key or with named identities. */
export function verifiesSignatures(authority: Reader): Truth {
  const key = authority.at("key");
  const identities = authority
    .at("keyless", "identities")
    .each()
    .map((identity) =>
      all(
        any(identity.at("issuer").isPresent, identity.at("issuerRegExp").isPresent),
        any(identity.at("subject").isPresent, identity.at("subjectRegExp").isPresent),
      ),
    );
  return any(
    ...["data", "kms"].map((field) => key.at(field).isPresent),
    key.at("secretRef", "name").isPresent,
    ...identities,
  );
}

/** Namespaces of the stack that the policy-controller does not watch. */
export function unwatched(context: StackContext): readonly { readonly reader: Reader; readonly resource: Resource }[] {
  return objectsOf(context, "Namespace")
    .map(({ inputs, resource }) => ({
      resource,
      reader: inputs.at("metadata", "labels", "policy.sigstore.dev/include"),
    }))
    .filter(({ reader }) => reader.is("true") !== true);
}

/**
 * Whether a glob of the policy-controller matches an image: `*` matches within a path segment, `**` across segments. The
 * controller compares complete names, and reads the globs `*` and `*`/`*` as Docker Hub's.
 */
function covers(glob: Reader, image: Reader): Truth {
  if (glob.is("**") === true) return image.isPresent;
  if (glob.text === undefined) return glob.test(() => false);
  const pattern = { "*": "index.docker.io/library/*", "*/*": "index.docker.io/*/*" }[glob.text] ?? glob.text;
  const expression = new RegExp(
    `^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\*+/g, (stars) => (stars === "*" ? "[^/]*" : ".*"))}$`,
  );
  return image.test((value) => typeof value === "string" && expression.test(completeName(value)));
}

/** The name with registry and version, as the controller writes it: a digest without a tag, else the tag, which is latest if absent. */
function completeName(image: string): string {
  const name = imageName(image);
  if (name === undefined) return image;
  const registry = name.registry === "docker.io" ? "index.docker.io" : name.registry;
  const version = name.digest === undefined ? `:${name.tag ?? "latest"}` : `@${name.digest}`;
  return `${registry}/${name.repository}${version}`;
}
