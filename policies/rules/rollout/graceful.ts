import { LABELS } from "../../../contract/labels.ts";
import { bearsPods, noPods, podsOf } from "../../reading/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** Pods leave without cutting anybody off. */
export const graceful: ResourceRule = {
  name: "workload-graceful-end",
  title: "The server's pods wait before they stop, and have time to finish",
  level: "advisory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Routers learn that a pod is going only after it was told so: `preStop` bridges that time. `terminationGracePeriodSeconds` counts from before `preStop` and has to be longer by what the last requests take.",
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
          `${container.label} is cut off when its pod ends`,
          "set lifecycle.preStop, and a longer terminationGracePeriodSeconds",
        );
      }
    }
  },
};
