import { any } from "../../model/truth.ts";
import { containerRule } from "../../reading/kubernetes/pod-rule.ts";

/** A running container cannot change its image's files. */
export const kubernetesReadOnlyRoot = containerRule(
  {
    name: "kubernetes-read-only-root",
    title: "Containers have a read-only root file system",
    level: "mandatory",
    documentation:
      "An intruder can then store a program only on volumes that the pod mounts. Files that the program writes belong on an `emptyDir` or a claim. The field does not apply to Windows pods.",
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
      fix: "set securityContext.readOnlyRootFilesystem: true, and mount a volume for files that it writes",
    };
  },
);
