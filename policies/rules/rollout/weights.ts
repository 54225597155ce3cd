import { objectsOf } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { judge, type StackRule } from "../../model/rule.ts";

/** A `pulumi up` during a rollout does not change weights. */
export const weights: StackRule = {
  name: "rollout-weights",
  title: "Only the rollout controller changes the weights of the slots",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "The engine creates a route with more than one backend and then ignores changes to its rules: `ignoreChanges` contains `spec`, `spec.rules` or a path below it.",
  references: [{ standard: "Requirement", item: "weights owned by the rollout controller" }],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    for (const route of objectsOf(context, "HTTPRoute", "GRPCRoute", "TCPRoute")) {
      const shared = route.inputs
        .at("spec", "rules")
        .each()
        .some((rule) => rule.at("backendRefs").each().length > 1);
      const ignored = route.resource.options.ignoreChanges.some(
        (path) => path === "spec" || path.startsWith("spec.rules"),
      );
      yield judge(
        route,
        "spec.rules",
        !shared || ignored,
        "the engine would overwrite the weights of a running rollout",
        'add ignoreChanges: ["spec.rules"]',
      );
    }
  },
};
