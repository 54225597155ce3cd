import type { Reader } from "../../model/reader.ts";
import { all, any, type Truth } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/pod-rule.ts";

const ALLOWED = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

/** Volumes of the kinds that need no right on the node; host paths above all are not among them. */
export const volumeTypes = podRule(
  {
    name: "kubernetes-volume-types",
    title: "Pods mount no directory of the node and no network storage past a claim",
    level: "mandatory",
    documentation: `Allowed are ${ALLOWED.join(", ")}. A \`hostPath\` gives the node's files, the runtime's socket among them.`,
    references: podSecurity("Volume Types", "5.2.12"),
  },
  function* (pod) {
    const volumes = pod.spec.at("volumes");
    if (volumes.isAbsent === true) yield { at: volumes, holds: true, message: "", fix: "" };
    for (const volume of volumes.each()) {
      yield {
        at: volume,
        // Kubernetes makes an emptyDir of a volume that names no kind.
        holds: any(onlyNamed(volume), ...ALLOWED.map((type) => volume.at(type).isPresent)),
        message: `volume ${volume.at("name").shown} is of type ${typeOf(volume)}`,
        fix: `use one of ${ALLOWED.join(", ")}`,
      };
    }
  },
);

function onlyNamed(volume: Reader): Truth {
  return all(
    volume.at("name").isPresent,
    ...volume.entries().map(([key, reader]) => (key === "name" ? true : reader.isAbsent)),
  );
}

function typeOf(volume: Reader): string {
  return (
    volume
      .entries()
      .map(([key]) => key)
      .find((key) => key !== "name") ?? "unknown"
  );
}
