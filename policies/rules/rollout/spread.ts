import { objectsOf } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes, podsOf, type Pod } from "../../reading/kubernetes/pods.ts";
import { replicasOf } from "../../reading/kubernetes/replicas.ts";
import { matches } from "../../reading/kubernetes/selectors.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type StackRule } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";

const DOMAINS = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];

/** Replicas are not all on one node, and spread constraints do not leave a pod pending. */
export const spread: StackRule = {
  name: "workload-spread",
  title: "Replicas are spread over nodes or zones, with constraints that can be satisfied",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "Each Deployment with two or more replicas has a topology spread constraint, or a pod anti-affinity, over nodes or zones that selects its own pods. A constraint with `DoNotSchedule` requires at most as many domains as there are replicas. With a required anti-affinity, `maxUnavailable` is greater than 0; otherwise, if there are as many nodes as replicas, a rolling update cannot place the new pod.",
  references: [
    { standard: "Polaris", item: "topologySpreadConstraint" },
    { standard: "Kyverno", item: "spread-pods-across-topology" },
  ],
  notApplicable: onlyOnKubernetes,
  *check(context) {
    for (const deployment of objectsOf(context, "Deployment")) {
      const replicas = deployment.inputs.at("spec", "replicas");
      const scale = replicasOf(context, deployment);
      const few = scale === undefined ? replicas.within(0, 1) : scale.most < 2;
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
          any(few, ...[...constraints.each(), ...terms].map((constraint) => spreads(constraint, pod))),
          `all ${replicas.shown} replicas can be on one node`,
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
            `minDomains is ${domains.shown}, but there are ${replicas.shown} replicas, so pods stay pending`,
            "set minDomains to at most the number of replicas, or whenUnsatisfiable: ScheduleAnyway",
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
            "use a preferred anti-affinity, or set maxUnavailable greater than 0",
          );
      }
    }
  },
};

/** Whether a constraint or a term separates the replicas of the pod. */
function spreads(constraint: Reader, pod: Pod): Truth {
  // An absent selector matches no pods.
  return all(
    constraint.at("topologyKey").is(...DOMAINS),
    matches(constraint.at("labelSelector"), pod.metadata.at("labels")),
  );
}
