import { nameOfUrn } from "../../../contract/graph.ts";
import { judge, subjectOf, type StackRule } from "../../model/rule.ts";

/** The rules judge the objects of a stack together. */
export const oneCluster: StackRule = {
  name: "one-cluster",
  title: "The objects of a stack go to one cluster",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "Network policies, budgets, quotas and roles are judged together with the pods of their namespace. With a second provider, a namespace of the same name in another cluster, or objects that another user makes there, would count as protected by those of the first. A resource without an explicit provider uses the one of its parent.",
  references: [{ standard: "Pulumi", item: "resource option provider" }],
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => type.startsWith("kubernetes:"))
      ? undefined
      : "this stack has no objects of Kubernetes",
  *check({ graph }) {
    // The one with the most objects is the cluster of the stack.
    const counts = new Map<string, number>();
    for (const { type, options } of graph.resources)
      if (type.startsWith("kubernetes:") && options.provider !== undefined)
        counts.set(options.provider, (counts.get(options.provider) ?? 0) + 1);
    const [main] = [...counts].sort(([, one], [, other]) => other - one)[0] ?? [];
    for (const resource of graph.resources.filter(({ type }) => type.startsWith("kubernetes:"))) {
      const { provider } = resource.options;
      yield judge(
        subjectOf(resource),
        "",
        provider === undefined || provider === main,
        `it goes to the cluster or the user of ${nameOfUrn(provider)}, not to those of the stack`,
        `use the provider ${nameOfUrn(main)}, or a separate stack`,
      );
    }
  },
};
