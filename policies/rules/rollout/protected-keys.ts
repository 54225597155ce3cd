import type { Resource } from "../../../contract/graph.ts";
import { GENERATED_SECRETS } from "../../../contract/secrets/generated.ts";
import { Reader } from "../../model/reader.ts";
import { judge, subjectOf, type StackRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { holdsData } from "./protected-data.ts";

/** Data that outlives a stack can be opened. */
export const protectedKeys: StackRule = {
  name: "protected-keys",
  title: "Generated secrets that open protected data are protected against deletion, too",
  levelIn: { staging: "advisory" },
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "A backup is lost with the password of its repository, and a database with the password of its owner. Where data of the stack has `protect: true`, so have the secrets of `GeneratedSecrets`, apart from those that it lists in `opensNoData`, and every generated secret that an input of the data comes from.",
  references: [
    { standard: "Pulumi", item: "resource option protect" },
    { standard: "NIST SP 800-53", item: "CP-9, SC-12" },
  ],
  notApplicable: ({ graph }) =>
    graph.resources.some(isGenerator) && graph.resources.some(isKept)
      ? undefined
      : "this stack has no protected data, or generates no secret",
  *check({ graph }) {
    const kept = graph.resources.filter(isKept);
    if (kept.length === 0) return;
    const sources = new Set(kept.flatMap(({ propertyDependencies }) => Object.values(propertyDependencies).flat()));
    const parents = new Map(graph.resources.map((resource) => [resource.urn, resource]));
    for (const resource of graph.resources.filter(isGenerator)) {
      const parent = parents.get(resource.parent ?? "");
      const belongs = parent?.type === "exai:secrets:GeneratedSecrets" && !opensNoData(parent, resource);
      if (!belongs && !sources.has(resource.urn)) continue;
      yield judge(
        subjectOf(resource),
        "",
        resource.options.protect,
        "it opens data that is protected, and is not protected against deletion itself",
        "set protect: true",
      );
    }
  },
};

function isGenerator({ type }: Resource): boolean {
  return Object.hasOwn(GENERATED_SECRETS, type);
}

function isKept(resource: Resource): boolean {
  return resource.options.protect && holdsData(resource);
}

function opensNoData(parent: Resource, { name }: Resource): boolean {
  const listed = Reader.of(parent.inputs).at("opensNoData").each();
  return any(...listed.map((secret) => secret.is(name.slice(parent.name.length + 1)))) === true;
}
