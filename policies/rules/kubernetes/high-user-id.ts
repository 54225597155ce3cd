import { any } from "../../model/truth.ts";
import { containerRule } from "../../reading/kubernetes/pod-rule.ts";

/** UIDs do not collide with users of the node. */
export const highUserId = containerRule(
  {
    name: "kubernetes-high-user-id",
    title: "Containers run with a UID of at least 10000",
    level: "advisory",
    documentation:
      "A UID below 10000 may belong to a user of the node; a process that escapes from its container then has the privileges of that user. " +
      "The container's `runAsUser` counts, or the pod's if the container has none.",
    references: [
      { standard: "Polaris", item: "runAsUser" },
      { standard: "Checkov", item: "CKV_K8S_40" },
    ],
  },
  (container, pod) => {
    const field = ["securityContext", "runAsUser"] as const;
    const place = container.reader.at(...field).or(pod.spec.at(...field));
    return {
      at: place,
      holds: any(place.within(10_000, Infinity), pod.userNamespace),
      message: `${container.label} runs with UID ${place.shown}`,
      fix: "set securityContext.runAsUser to 10000 or more",
    };
  },
);
