import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../contract/slots.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { LABELS } from "../../../contract/labels.ts";
import type { Cluster } from "./cluster.ts";
import type { ContainerStatus, Deployment, Found, Pod } from "./api-types.ts";

/** Reasons for a container not to start that do not pass with time. */
const PERMANENT = [
  "CrashLoopBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
  "ErrImageNeverPull",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
];

/** Deadline for all replicas of a Deployment to be ready, in seconds. */
const READY_SECONDS = 300;

/** The Deployment of each slot and its pods. */
export class SlotObjects {
  readonly cluster: Cluster;
  readonly #instance: string;

  constructor(cluster: Cluster, instance: string) {
    this.cluster = cluster;
    this.#instance = instance;
  }

  async deployment(slot: Slot): Promise<Found<Deployment> | undefined> {
    return this.cluster.read<Deployment>({ apiVersion: "apps/v1", kind: "Deployment", name: slotHost(slot) });
  }

  /** @throws UserError if it does not exist */
  async existing(slot: Slot): Promise<Found<Deployment>> {
    const deployment = await this.deployment(slot);
    if (deployment !== undefined) return deployment;
    throw new UserError(
      ...(["not-found", `Deployment ${slotHost(slot)}`, "does not exist"] as const),
      fix`${command("up staging")} (or ${command("up prod")})`,
    );
  }

  /** All pods that have not ended, including those that are terminating. */
  async pods(slot: Slot): Promise<Found<Pod>[]> {
    const labels = { [LABELS.instance]: this.#instance, [LABELS.component]: "server", [LABELS.slot]: slot };
    const pods = await this.cluster.list<Pod>("v1", "Pod", labels);
    return pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  }

  /** The last lines of the pod whose log most likely shows the failure. */
  async logs(slot: Slot, lines: number): Promise<string> {
    const pods = await this.pods(slot);
    const worst = pods.sort((a, b) => failureRank(b) - failureRank(a))[0];
    const container = worst?.spec?.containers[0]?.name;
    if (worst === undefined || container === undefined) return "";
    const restarted = (containerOf(worst)?.restartCount ?? 0) > 0;
    return this.cluster.log(worst.metadata.name, container, lines, restarted);
  }

  /**
   * Waits until all replicas of a slot have the newest template and are ready. An empty slot is ready at once.
   *
   * @throws UserError with the last lines of the log if a container cannot start, or at the deadline
   */
  async rolledOut(slot: Slot, signal: AbortSignal, seconds = READY_SECONDS): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const [{ metadata, spec, status }, pods] = await Promise.all([this.existing(slot), this.pods(slot)]);
      const wanted = spec?.replicas ?? 1;
      const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = status ?? {};
      const settled = observedGeneration >= (metadata.generation ?? 0) && replicas === updatedReplicas;
      if (settled && updatedReplicas === wanted && availableReplicas >= wanted) return;
      const stuck = ofNewestTemplate(pods)
        .map(stuckBecause)
        .find((reason) => reason !== undefined);
      if (stuck !== undefined || performance.now() > deadline) {
        const lines = (await this.logs(slot, 3).catch(() => "")).trim();
        throw new UserError(
          stuck === undefined ? "timeout" : "failed",
          `slot ${slot}`,
          `${stuck ?? `${String(availableReplicas)} of ${String(wanted)} replicas are ready after ${String(seconds)} s`}${lines === "" ? "" : `; last lines of its log: ${lines}`}`,
          `kubectl --namespace ${this.cluster.namespace} get pods --selector ${LABELS.slot}=${slot}`,
        );
      }
      await sleep(500, undefined, { signal });
    }
  }

  /**
   * Waits until a Deployment that is being deleted is gone, with its pods, which drain first.
   *
   * @throws UserError at the deadline
   */
  async gone(slot: Slot, signal: AbortSignal, seconds: number): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while ((await this.deployment(slot))?.metadata.deletionTimestamp !== undefined) {
      if (performance.now() > deadline)
        throw new UserError(
          "timeout",
          `slot ${slot}`,
          `is not gone after ${String(seconds)} s`,
          `kubectl --namespace ${this.cluster.namespace} get pods --selector ${LABELS.slot}=${slot}`,
        );
      await sleep(500, undefined, { signal });
    }
  }
}

export function containerOf(pod: Pod): ContainerStatus | undefined {
  return pod.status?.containerStatuses?.[0];
}

/** Pods of an older template may be broken permanently, but they are being removed. */
function ofNewestTemplate(pods: readonly Found<Pod>[]): readonly Found<Pod>[] {
  const since = ({ metadata }: Pod): number => new Date(metadata?.creationTimestamp ?? 0).getTime();
  const template = ({ metadata }: Pod): string | undefined => metadata?.labels?.["pod-template-hash"];
  const newest = pods.toSorted((a, b) => since(b) - since(a))[0];
  return newest === undefined ? [] : pods.filter((pod) => template(pod) === template(newest));
}

function stuckBecause(pod: Pod): string | undefined {
  const waiting = containerOf(pod)?.state?.waiting;
  if (waiting?.reason === undefined || !PERMANENT.includes(waiting.reason)) return undefined;
  return `${pod.metadata?.name ?? "a pod"}: ${waiting.reason}${waiting.message === undefined ? "" : `, ${waiting.message}`}`;
}

/** Ranks pods by how likely their log shows a failure. */
function failureRank(pod: Pod): number {
  const container = containerOf(pod);
  return (container?.restartCount ?? 0) * 10 + (container?.ready === true ? 0 : 1);
}
