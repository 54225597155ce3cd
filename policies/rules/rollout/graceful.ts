import { LABELS } from "../../../contract/labels.ts";
import { bearsPods, noPods, podsOf } from "../../reading/kubernetes/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** Pods finish open requests before they stop. */
export const graceful: ResourceRule = {
  name: "workload-graceful-end",
  title: "The server's pods wait before they stop, and have time to finish requests",
  level: "advisory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Routers learn that a pod stops only after the pod receives the signal; `preStop` covers this delay. `terminationGracePeriodSeconds` includes `preStop` and must be longer than it, by the time that the last requests need.",
  references: [{ standard: "Kubernetes documentation", item: "Pod lifecycle, termination" }],
  notApplicable: noPods,
  concerns: (resource) => bearsPods(resource),
  *check(subject) {
    for (const pod of podsOf(subject)) {
      if (pod.metadata.at("labels", LABELS.component).is("server") === false) continue;
      const grace = pod.spec.at("terminationGracePeriodSeconds");
      for (const container of pod.containers) {
        if (container.role !== "container") continue;
        const hook = container.reader.at("lifecycle", "preStop");
        const sleep = hook.at("sleep", "seconds");
        const seconds = sleep.number;
        const longer: Truth = seconds === undefined ? true : grace.within(seconds + 1, Infinity);
        yield judge(
          subject,
          hook,
          all(any(hook.at("sleep").isPresent, hook.at("exec").isPresent, hook.at("httpGet").isPresent), longer),
          `${container.label} ends open requests when its pod stops`,
          "set lifecycle.preStop, and terminationGracePeriodSeconds longer than it",
        );
      }
    }
  },
};
