import { bearsPods, kindOf, noPods, podsOf } from "../../reading/kubernetes/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { any, not } from "../../model/truth.ts";

const TERMINATING = ["Job", "JobList", "CronJob", "CronJobList"];
const HANDLERS = ["httpGet", "tcpSocket", "exec", "grpc"];

/** A rollout can observe the state of its pods. */
export const probes: ResourceRule = {
  name: "workload-probes",
  title: "Long-running containers have a liveness and a readiness probe",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Without a readiness probe, a pod receives traffic before it can serve it, and a faulty release counts as rolled out. Without a liveness probe, a container that hangs is not restarted. Sidecars (init containers with `restartPolicy: Always`) are included; jobs, pods with a `restartPolicy` other than `Always`, and ephemeral containers are not.",
  references: [
    { standard: "Polaris", item: "livenessProbeMissing, readinessProbeMissing" },
    { standard: "Checkov", item: "CKV_K8S_8, CKV_K8S_9" },
  ],
  notApplicable: noPods,
  concerns: (resource) => bearsPods(resource) && !TERMINATING.includes(kindOf(resource) ?? ""),
  *check(subject) {
    for (const pod of podsOf(subject))
      for (const container of pod.containers)
        for (const key of ["livenessProbe", "readinessProbe"]) {
          const probe = container.reader.at(key);
          const asks = any(...HANDLERS.map((handler) => probe.at(handler).isPresent));
          yield judge(
            subject,
            probe,
            any(asks, not(container.isLongRunning), pod.spec.at("restartPolicy").is("OnFailure", "Never")),
            `${container.label} has no ${key}`,
            `set ${key}`,
          );
        }
  },
};
