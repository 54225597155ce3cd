import type { Resource } from "../../contract/graph.ts";
import { objectsOf } from "./kubernetes-objects.ts";
import { bearsPods } from "./pods.ts";
import type { Reader } from "../model/reader.ts";
import { subjectOf, type StackContext } from "../model/rule.ts";
import { all, any, type Truth } from "../model/truth.ts";
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

/** Whether a glob of the policy-controller matches an image: `*` matches within a path segment, `**` across segments. */
function covers(glob: Reader, image: Reader): Truth {
  if (glob.is("**") === true) return image.isPresent;
  const pattern = glob.text;
  if (pattern === undefined) return glob.test(() => false);
  const expression = new RegExp(
    `^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\*+/g, (stars) => (stars === "*" ? "[^/]*" : ".*"))}$`,
  );
  return image.test((value) => typeof value === "string" && names(value).some((name) => expression.test(name)));
}

/** The names of an image: the written one, and one with Docker Hub's registry if it has none. Digest and tag are kept. */
function names(image: string): string[] {
  const first = image.slice(0, Math.max(0, image.indexOf("/")));
  if (/[.:]/.test(first) || first === "localhost") return [image];
  return [image, `index.docker.io/${image.includes("/") ? "" : "library/"}${image}`];
}
