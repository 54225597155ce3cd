import type { Answer } from "../../model/answer.ts";
import { amountOf, quantity } from "../../reading/kubernetes/quantities.ts";
import { containerRule } from "../../reading/kubernetes/pod-rule.ts";

/** More than any node has: cores, and bytes. A limit above is none. */
const NO_LIMIT = { cpu: 1024, memory: 2 ** 46 } as const;
/** No program runs with less memory, in bytes: `100m` is a tenth of a byte. */
const LEAST_MEMORY = 2 ** 20;

/** A container cannot exhaust the resources of its node. */
export const resources = containerRule(
  {
    name: "kubernetes-resources",
    title: "Containers have requests and limits for CPU and memory",
    level: "mandatory",
    documentation:
      "Quantities are read as Kubernetes reads them: `100m` of memory is a tenth of a byte, and a limit below 1 MiB stops every program. Without requests, the scheduler does not know what a pod needs; without limits, one container can exhaust the resources of others. Ephemeral containers cannot have them and are not checked.",
    references: [
      { standard: "Polaris", item: "cpuLimitsMissing, memoryLimitsMissing" },
      { standard: "Checkov", item: "CKV_K8S_10-13" },
    ],
  },
  function* (container): Generator<Answer> {
    if (container.role === "ephemeral container") return;
    for (const kind of ["requests", "limits"])
      for (const resource of ["cpu", "memory"] as const) {
        const place = container.reader.at("resources", kind, resource);
        const holds = place.test((value) => {
          const amount = quantity(value);
          const least = resource === "cpu" ? Number.MIN_VALUE : kind === "limits" ? LEAST_MEMORY : 1;
          return amount !== undefined && amount >= least && amount < NO_LIMIT[resource];
        });
        yield {
          at: place,
          holds,
          message: `${container.label} has no ${resource} ${kind} that a program can run with: ${place.shown}`,
          fix: `set resources.${kind}.${resource}`,
        };
      }
    for (const resource of ["cpu", "memory"]) {
      const [request, limit] = ["requests", "limits"].map((kind) => container.reader.at("resources", kind, resource));
      const [asked, most] = [amountOf(request), amountOf(limit)];
      if (request !== undefined && asked !== undefined && most !== undefined)
        yield {
          at: request,
          holds: asked <= most,
          message: `${container.label} requests more ${resource} than its limit`,
          fix: `set resources.requests.${resource} to at most the limit`,
        };
    }
  },
);
