import { any } from "../../model/truth.ts";
import { containerRule } from "../../reading/pod-rule.ts";

/** The image cannot be changed while it runs. */
export const kubernetesReadOnlyRoot = containerRule(
  {
    name: "kubernetes-read-only-root",
    title: "Containers have a read-only root file system",
    level: "mandatory",
    documentation:
      "An intruder then has nowhere to put a program but the mounts that the pod names. What must be written goes to an `emptyDir` or a claim. Windows pods have no such field.",
    references: [
      { standard: "Kubescape", item: "C-0017" },
      { standard: "Checkov", item: "CKV_K8S_22" },
    ],
  },
  (container, pod) => {
    const place = container.reader.at("securityContext", "readOnlyRootFilesystem");
    return {
      at: place,
      holds: any(place.is(true), pod.windows),
      message: `${container.label} can write its root file system`,
      fix: "set securityContext.readOnlyRootFilesystem: true and mount what it writes",
    };
  },
);
