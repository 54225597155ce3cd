import type { Reader } from "../model/reader.ts";
import { any } from "../model/truth.ts";
import { podRule, podSecurity } from "./podRule.ts";

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
    if (volumes.isAbsent === true) yield { at: volumes, holds: true, message: "", mend: "" };
    for (const volume of volumes.each()) {
      yield {
        at: volume,
        holds: any(...ALLOWED.map((type) => volume.at(type).isPresent)),
        message: `volume ${volume.at("name").shown} is of type ${typeOf(volume)}`,
        mend: `use one of ${ALLOWED.join(", ")}`,
      };
    }
  },
);

function typeOf(volume: Reader): string {
  return (
    volume
      .entries()
      .map(([key]) => key)
      .find((key) => key !== "name") ?? "emptyDir by omission"
  );
}
