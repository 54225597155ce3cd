import { any } from "../../model/truth.ts";
import { containerRule } from "../../reading/pod-rule.ts";

/** UIDs beyond those that a node gives to its own users. */
export const highUserId = containerRule(
  {
    name: "kubernetes-high-user-id",
    title: "Containers run with a UID of at least 10000",
    level: "advisory",
    documentation:
      "A UID below 10000 is likely to be that of a user of the node; a process that breaks out of its container then has that user's rights. " +
      "The container's `runAsUser` counts, else the pod's.",
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
