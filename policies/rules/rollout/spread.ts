import { objectsOf, selects } from "../../reading/kubernetes-objects.ts";
import { onlyOnKubernetes, podsOf, type Pod } from "../../reading/pods.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type StackRule } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";

const DOMAINS = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];

/** One node takes not all replicas, and no demand for spread leaves a pod pending. */
export const spread: StackRule = {
  name: "workload-spread",
  title: "Replicas are spread over nodes or zones, by demands that can be satisfied",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "Each Deployment of two or more replicas has a topology spread constraint, or a pod anti-affinity, over nodes or zones that selects its own pods. What is demanded (`DoNotSchedule`) asks for no more domains than there are replicas, and a required anti-affinity leaves a rolling update room: `maxUnavailable` is above 0 then, or the new pod finds no node where there are as many as replicas.",
  references: [
    { standard: "Polaris", item: "topologySpreadConstraint" },
    { standard: "Kyverno", item: "spread-pods-across-topology" },
  ],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    for (const deployment of objectsOf(context, "Deployment")) {
      const replicas = deployment.inputs.at("spec", "replicas");
      const few = any(replicas.isAbsent, replicas.within(0, 1));
      for (const pod of podsOf(deployment)) {
        const constraints = pod.spec.at("topologySpreadConstraints");
        const anti = pod.spec.at("affinity", "podAntiAffinity");
        const required = anti.at("requiredDuringSchedulingIgnoredDuringExecution");
        const terms = [
          ...required.each(),
          ...anti
            .at("preferredDuringSchedulingIgnoredDuringExecution")
            .each()
            .map((term) => term.at("podAffinityTerm")),
        ];
        yield judge(
          deployment,
          constraints,
          any(few, ...[...constraints.each(), ...terms].map((demand) => spreads(demand, pod))),
          `one node may hold all ${replicas.shown} replicas`,
          "add a topologySpreadConstraint over kubernetes.io/hostname that selects the pod's labels",
        );
        for (const constraint of constraints.each()) {
          const domains = constraint.at("minDomains");
          yield judge(
            deployment,
            domains,
            any(
              not(constraint.at("whenUnsatisfiable").isAbsentOr("DoNotSchedule")),
              domains.isAbsent,
              domains.within(1, replicas.number ?? (replicas.isAbsent === true ? 1 : Infinity)),
            ),
            `pods wait for ${domains.shown} domains, and there are ${replicas.shown} replicas`,
            "set minDomains to at most the replicas, or whenUnsatisfiable: ScheduleAnyway",
          );
        }
        for (const term of required.each())
          yield judge(
            deployment,
            term,
            any(
              not(spreads(term, pod)),
              not(deployment.inputs.at("spec", "strategy", "rollingUpdate", "maxUnavailable").is(0, "0", "0%")),
            ),
            "a rolling update needs one more node than there are replicas",
            "prefer the anti-affinity, or let maxUnavailable be above 0",
          );
      }
    }
  },
};

/** Whether a demand keeps the pod's own replicas apart. */
function spreads(demand: Reader, pod: Pod): Truth {
  const selector = demand.at("labelSelector", "matchLabels");
  return all(demand.at("topologyKey").is(...DOMAINS), selector.isPresent, selects(selector, pod.metadata.at("labels")));
}
