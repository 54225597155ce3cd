import type { Reader } from "../../model/reader.ts";
import type { StackContext, Subject } from "../../model/rule.ts";
import { all, type Truth } from "../../model/truth.ts";
import { objectsOf, sameNamespace } from "./objects.ts";
import { kindOf } from "./pods.ts";

/** The numbers of replicas that a workload can have. */
export interface Replicas {
  readonly least: number;
  readonly most: number;
  /** The place that decides: the workload's `replicas`, or an autoscaler's limit. */
  readonly from: Reader;
}

/**
 * The replicas of a Deployment or StatefulSet: those of its autoscaler if the stack has one, else `spec.replicas`, which is 1 if it is
 * absent. Undefined if they are unknown.
 */
export function replicasOf(context: StackContext, workload: Subject): Replicas | undefined {
  const scaler = objectsOf(context, "HorizontalPodAutoscaler").find((one) => scales(one, workload) === true);
  const declared = workload.inputs.at("spec", "replicas");
  if (scaler === undefined) {
    const count = declared.isAbsent === true ? 1 : declared.number;
    return count === undefined ? undefined : { least: count, most: count, from: declared };
  }
  const [minimum, maximum] = [scaler.inputs.at("spec", "minReplicas"), scaler.inputs.at("spec", "maxReplicas")];
  const [least, most] = [minimum.isAbsent === true ? 1 : minimum.number, maximum.number];
  return least === undefined || most === undefined ? undefined : { least, most: Math.max(least, most), from: declared };
}

function scales(scaler: Subject, workload: Subject): Truth {
  const target = scaler.inputs.at("spec", "scaleTargetRef");
  const name = workload.inputs.at("metadata", "name");
  return all(
    sameNamespace(scaler, workload),
    target.at("kind").is(kindOf(workload.resource) ?? ""),
    name.text === undefined ? name.isAbsent : target.at("name").is(name.text),
  );
}

/**
 * A number, or a percentage of a total, as Kubernetes reads an `IntOrString`: a percentage is rounded up or down to whole pods.
 * Undefined for any other text, which the API server refuses, and for an unknown value.
 */
export function scaled(value: Reader, total: number, round: "up" | "down"): number | undefined {
  const percent = /^(\d+)%$/.exec(value.text ?? "")?.[1];
  if (percent !== undefined) return (round === "up" ? Math.ceil : Math.floor)((Number(percent) * total) / 100);
  return value.text === undefined ? value.number : undefined;
}
