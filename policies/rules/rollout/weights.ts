import { objectsOf } from "../../reading/kubernetes-objects.ts";
import { onlyOnKubernetes } from "../../reading/pods.ts";
import { judge, type StackRule } from "../../model/rule.ts";

/** A `pulumi up` in the middle of a rollout changes no weight. */
export const weights: StackRule = {
  name: "rollout-weights",
  title: "The weights between the slots belong to the rollout controller",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "A route with more than one backend is declared once and then ignored by the engine: its `ignoreChanges` names the rules (`spec`, `spec.rules` or a path below).",
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
        "the engine would write the weights of a running rollout",
        'add ignoreChanges: ["spec.rules"]',
      );
    }
  },
};
