import { bearsPods, kindOf, noPods, podsOf } from "../../reading/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { any, not } from "../../model/truth.ts";

const ENDING = ["Job", "JobList", "CronJob", "CronJobList"];
const HANDLERS = ["httpGet", "tcpSocket", "exec", "grpc"];

/** A rollout can see what it did. */
export const probes: ResourceRule = {
  name: "workload-probes",
  title: "Containers that stay have a liveness and a readiness probe",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Without readiness, a pod takes users before it can serve them, and a bad release counts as rolled out; without liveness, one that hangs stays. Init containers that are restarted always (sidecars) count; jobs, pods that end (`restartPolicy` other than `Always`) and ephemeral containers do not.",
  references: [
    { standard: "Polaris", item: "livenessProbeMissing, readinessProbeMissing" },
    { standard: "Checkov", item: "CKV_K8S_8, CKV_K8S_9" },
  ],
  notApplicable: noPods,
  concerns: (resource) => bearsPods(resource) && !ENDING.includes(kindOf(resource) ?? ""),
  *check(subject) {
    for (const pod of podsOf(subject))
      for (const container of pod.containers)
        for (const key of ["livenessProbe", "readinessProbe"]) {
          const probe = container.reader.at(key);
          const asks = any(...HANDLERS.map((handler) => probe.at(handler).isPresent));
          yield judge(
            subject,
            probe,
            any(asks, not(container.stays), pod.spec.at("restartPolicy").is("OnFailure", "Never")),
            `${container.label} has no ${key}`,
            `set ${key}`,
          );
        }
  },
};
