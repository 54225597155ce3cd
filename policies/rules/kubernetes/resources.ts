import type { Answer } from "../../model/answer.ts";
import { containerRule } from "../../reading/pod-rule.ts";

const QUANTITY = /^\d+(\.\d+)?(e\d+|[numkMGTPE]|[KMGTPE]i)?$/;

/** A container cannot exhaust the resources of its node. */
export const resources = containerRule(
  {
    name: "kubernetes-resources",
    title: "Containers have requests and limits for CPU and memory",
    level: "mandatory",
    documentation:
      "Without requests, the scheduler does not know what a pod needs; without limits, one container can exhaust the resources of others. Ephemeral containers cannot have them and are not checked.",
    references: [
      { standard: "Polaris", item: "cpuLimitsMissing, memoryLimitsMissing" },
      { standard: "Checkov", item: "CKV_K8S_10-13" },
    ],
  },
  function* (container): Generator<Answer> {
    if (container.role === "ephemeral container") return;
    for (const kind of ["requests", "limits"])
      for (const resource of ["cpu", "memory"]) {
        const place = container.reader.at("resources", kind, resource);
        const holds = place.test(
          (value) =>
            (typeof value === "number" && value > 0) ||
            (typeof value === "string" && QUANTITY.test(value) && /[1-9]/.test(value)),
        );
        yield {
          at: place,
          holds,
          message: `${container.label} has no ${resource} ${kind}`,
          fix: `set resources.${kind}.${resource}`,
        };
      }
  },
);
