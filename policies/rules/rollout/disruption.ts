import { objectsOf, sameNamespace } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes, podsOf } from "../../reading/kubernetes/pods.ts";
import { replicasOf, scaled, type Replicas } from "../../reading/kubernetes/replicas.ts";
import { matches } from "../../reading/kubernetes/selectors.ts";
import { judge, type StackContext, type StackRule, type Subject, type Verdict } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** Replica counts that are tried between the limits of an autoscaler. */
const MOST_TRIED = 1000;

/** Draining a node does not stop a slot. */
export const disruption: StackRule = {
  name: "workload-disruption-budgets",
  title: "Workloads with several replicas have one disruption budget that can be satisfied, and updates keep a replica",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "For each Deployment and StatefulSet with two or more replicas, a PodDisruptionBudget selects its pods, keeps at least one of them available, and allows the eviction of at least one, at every number of replicas between the limits of its autoscaler. Percentages are rounded up to whole pods, as Kubernetes does: 90 % of 3 is 3. A pod that two budgets select cannot be evicted at all. Otherwise, draining a node can stop the whole slot, or can never finish. A rolling update leaves at least one replica: `Recreate`, or a `maxUnavailable` of all replicas, stops them together.",
  references: [
    { standard: "Polaris", item: "missingPodDisruptionBudget" },
    { standard: "Kyverno", item: "require-pdb" },
  ],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    for (const workload of objectsOf(context, "Deployment", "StatefulSet")) yield* judgeWorkload(context, workload);
  },
};

function* judgeWorkload(context: StackContext, workload: Subject): Generator<Verdict> {
  const declared = workload.inputs.at("spec", "replicas");
  const budgets = objectsOf(context, "PodDisruptionBudget").map((budget) => ({
    budget,
    selects: all(sameNamespace(budget, workload), covers(budget, workload)),
  }));
  const own = budgets.filter(({ selects }) => selects === true);
  yield judge(
    workload,
    declared,
    own.length < 2,
    `${own.length} disruption budgets select its pods (${own.map(({ budget }) => budget.resource.name).join(", ")}), so no pod can be evicted`,
    "keep one PodDisruptionBudget for these pods",
  );
  const replicas = replicasOf(context, workload);
  if (replicas !== undefined && replicas.most < 2) return;
  const few = replicas === undefined ? declared.isPresent : true;
  yield judge(
    workload,
    declared,
    any(...budgets.map(({ budget, selects }) => all(few, selects, canBeKept(budget, replicas)))),
    `${shown(replicas)} have no disruption budget that keeps one available and allows one eviction`,
    "add a PodDisruptionBudget with minAvailable less than the number of replicas",
  );
  const unavailable = workload.inputs.at("spec", "strategy", "rollingUpdate", "maxUnavailable");
  const type = workload.inputs.at("spec", "strategy", "type");
  yield judge(
    workload,
    type.is("Recreate") === true ? type : unavailable,
    all(
      type.isAbsentOr("RollingUpdate"),
      any(
        unavailable.isAbsent,
        unavailable.test(() => {
          const least = Math.max(2, replicas?.least ?? 2);
          const down = scaled(unavailable, least, "down");
          return down !== undefined && down < least;
        }),
      ),
    ),
    `an update stops all of its replicas at the same time`,
    "set strategy.type: RollingUpdate, and maxUnavailable less than the number of replicas",
  );
}

function shown(replicas: Replicas | undefined): string {
  if (replicas === undefined) return "the replicas";
  return replicas.least === replicas.most
    ? `${replicas.least} replicas`
    : `${replicas.least} to ${replicas.most} replicas (autoscaler)`;
}

/** Whether a budget selects the pods of a workload. In policy/v1, an empty selector selects all pods of the namespace, and an absent one none. */
function covers(budget: Subject, workload: Subject): Truth {
  const labels = podsOf(workload)[0]?.metadata.at("labels");
  return labels === undefined ? false : matches(budget.inputs.at("spec", "selector"), labels);
}

function canBeKept(budget: Subject, replicas: Replicas | undefined): Truth {
  const [least, most] = [budget.inputs.at("spec", "minAvailable"), budget.inputs.at("spec", "maxUnavailable")];
  if (least.isAbsent === true && most.isAbsent === true) return false;
  const limit = most.isAbsent === true ? least : most;
  return limit.test(() => {
    const { least: from, most: to } = replicas ?? { least: 2, most: 2 };
    for (let count = Math.max(1, from); count <= Math.min(to, from + MOST_TRIED); count += 1) {
      const value = scaled(limit, count, "up");
      if (value === undefined) return false;
      const healthy = limit === least ? value : Math.max(0, count - value);
      // With a single replica, an eviction stops it; what matters then is that a node can be drained.
      if (healthy > count - 1 || (count > 1 && healthy < 1)) return false;
    }
    return true;
  });
}
