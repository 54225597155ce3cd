import { objectsOf, sameNamespace, selects } from "../../reading/kubernetes-objects.ts";
import { onlyOnKubernetes, podsOf } from "../../reading/pods.ts";
import { judge, type StackRule, type Subject } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** Draining a node does not stop a slot. */
export const disruption: StackRule = {
  name: "workload-disruption-budgets",
  title: "Deployments with several replicas have a disruption budget that can be satisfied",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "For each Deployment with two or more replicas, a PodDisruptionBudget selects its pods, keeps at least one of them available, and allows the eviction of at least one. Otherwise, draining a node can stop the whole slot, or can never finish.",
  references: [
    { standard: "Polaris", item: "missingPodDisruptionBudget" },
    { standard: "Kyverno", item: "require-pdb" },
  ],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    const budgets = objectsOf(context, "PodDisruptionBudget");
    for (const deployment of objectsOf(context, "Deployment")) {
      const replicas = deployment.inputs.at("spec", "replicas");
      if (replicas.isAbsent === true || replicas.within(0, 1) === true) {
        yield judge(deployment, replicas, true, "", "");
        continue;
      }
      const holds = any(
        ...budgets.map((budget) =>
          all(sameNamespace(budget, deployment), covers(budget, deployment), canBeKept(budget, replicas.number)),
        ),
      );
      yield judge(
        deployment,
        replicas,
        holds,
        `${replicas.shown} replicas have no disruption budget that keeps one available and allows one eviction`,
        "add a PodDisruptionBudget with minAvailable less than the number of replicas",
      );
    }
  },
};

function covers(budget: Subject, deployment: Subject): Truth {
  const labels = podsOf(deployment)[0]?.metadata.at("labels");
  const selector = budget.inputs.at("spec", "selector", "matchLabels");
  return labels === undefined ? false : all(selector.isPresent, selects(selector, labels));
}

function canBeKept(budget: Subject, replicas: number | undefined): Truth {
  const [least, most] = [budget.inputs.at("spec", "minAvailable"), budget.inputs.at("spec", "maxUnavailable")];
  const percent = /^([1-9]|[1-9]\d)%$/;
  const upper = replicas === undefined ? Infinity : replicas - 1;
  return any(least.within(1, upper), least.matches(percent), most.within(1, upper), most.matches(percent));
}
