import { judge, type ResourceRule } from "../../model/rule.ts";
import { all, any, not } from "../../model/truth.ts";
import { isObject } from "../../reading/kubernetes/objects.ts";

/** A claim gives no access to the node. */
export const persistentVolumes: ResourceRule = {
  name: "kubernetes-persistent-volumes",
  title: "Persistent volumes are network storage of a CSI driver or of NFS",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "A PersistentVolume with `hostPath` or `local` gives every pod that claims it a directory of the node: the check of a pod's volume types sees only a claim. The source is `csi`, with a driver that does not stand for directories of the node, or `nfs`.",
  references: [
    { standard: "Kubernetes documentation", item: "Pod Security Standards, volume types of claims" },
    { standard: "CIS Kubernetes 1.11", item: "5.2.12" },
  ],
  notApplicable: () => "the stack creates no persistent volumes",
  concerns: isObject("PersistentVolume"),
  *check(subject) {
    const spec = subject.inputs.at("spec");
    const driver = spec.at("csi", "driver");
    yield judge(
      subject,
      spec,
      all(
        ...["hostPath", "local", "flexVolume"].map((source) => spec.at(source).isAbsent),
        any(spec.at("nfs").isPresent, all(driver.isPresent, not(driver.matches(/host-?path|local/i)))),
      ),
      "it is a directory of a node, or storage that the rules do not understand",
      "use a StorageClass of a CSI driver",
    );
  },
};
