import type { Reader } from "../../model/reader.ts";
import { all } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

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

/** Pods use only volume types that give no access to the node. */
export const volumeTypes = podRule(
  {
    name: "kubernetes-volume-types",
    title: "Pods mount no directory of the node, and network storage only through a claim",
    level: "mandatory",
    documentation: `Allowed types are ${ALLOWED.join(", ")}. A \`hostPath\` gives access to files of the node, including the runtime's socket.`,
    references: podSecurity("Volume Types", "5.2.12"),
  },
  function* (pod) {
    const volumes = pod.spec.at("volumes");
    if (volumes.isAbsent === true) yield { at: volumes, holds: true, message: "", fix: "" };
    for (const volume of volumes.each()) {
      yield {
        at: volume,
        // A volume without a type is an emptyDir.
        holds: all(
          volume.at("name").isPresent,
          ...volume
            .entries()
            .map(([key, reader]) => (key === "name" || ALLOWED.includes(key) ? true : reader.isAbsent)),
        ),
        message: `volume ${volume.at("name").shown} is of type ${typeOf(volume)}`,
        fix: `use one of ${ALLOWED.join(", ")}`,
      };
    }
  },
);

function typeOf(volume: Reader): string {
  return (
    volume
      .entries()
      .map(([key]) => key)
      .find((key) => key !== "name" && !ALLOWED.includes(key)) ?? "unknown"
  );
}
