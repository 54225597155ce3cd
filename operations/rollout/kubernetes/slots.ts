import { setTimeout as sleep } from "node:timers/promises";
import type { Colour } from "../../../contract/colours.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { UserError } from "../../../contract/errors.ts";
import { LABELS } from "../../../contract/labels.ts";
import type { SlotDeployer, SlotStatus } from "../deployer.ts";
import type { Cluster } from "./cluster.ts";
import type { ContainerStatus, Deployment, Found, Pod } from "./objects.ts";

export interface ClusterSlotsOptions {
  readonly cluster: Cluster;
  readonly instance: string;
  /** Replicas of a slot at full scale. */
  readonly replicas: number;
  /** Makes a slot's Deployment have an image, and touches nothing else. */
  readonly putImage: (colour: Colour, image: string, signal: AbortSignal) => Promise<void>;
  /** Until all replicas of a deployment are ready. @default 300 */
  readonly readySeconds?: number;
}

/** Owner of a slot's replicas while the slot is drained. */
const SCALE_MANAGER = "exai-rollout-scale";

/** Why a container does not start; waiting mends none of them. */
const HOPELESS = [
  "CrashLoopBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
  "ErrImageNeverPull",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
];

/** Seconds beyond the pods' own grace until what still runs counts as stuck. */
const STUCK_SECONDS = 30;

/** The slots of a cluster: a Deployment each, whose image is put there by the engine and whose scale is the rollout's. */
export class ClusterSlots implements SlotDeployer {
  readonly #options: ClusterSlotsOptions;

  constructor(options: ClusterSlotsOptions) {
    this.#options = options;
  }

  async deploy(colour: Colour, image: string, signal: AbortSignal): Promise<SlotStatus> {
    await this.#options.putImage(colour, image, signal);
    const deployment = await this.#existing(colour);
    if (imageOf(deployment) !== image)
      throw new UserError(
        `Deployment ${slotHost(colour)}`,
        `has ${imageOf(deployment) ?? "no image"} where ${image} was asked for`,
        "./exai preview staging   (or prod) shows what the engine would change",
      );
    // It was drained, or the same image was put into an empty slot, where the engine sees nothing to change.
    if (deployment.spec?.replicas === 0) await this.#scale(colour, this.#options.replicas);
    await this.#rolledOut(colour, signal);
    return this.status(colour);
  }

  async drain(colour: Colour, graceSeconds: number, signal: AbortSignal): Promise<void> {
    const deployment = await this.#deployment(colour);
    if (deployment === undefined) return;
    if (deployment.spec?.replicas !== 0) await this.#scale(colour, 0);
    const declared = deployment.spec?.template.spec?.terminationGracePeriodSeconds ?? graceSeconds;
    const deadline = performance.now() + (Math.max(declared, graceSeconds) + STUCK_SECONDS) * 1000;
    for (;;) {
      const left = await this.#pods(colour);
      if (left.length === 0) return;
      if (performance.now() > deadline)
        throw new UserError(
          `slot ${colour}`,
          `${left.map(({ metadata }) => metadata.name).join(", ")} did not stop within the grace time`,
          `kubectl --namespace ${this.#options.cluster.namespace} describe pod ${left[0]?.metadata.name ?? ""}`,
        );
      await sleep(500, undefined, { signal });
    }
  }

  async status(colour: Colour): Promise<SlotStatus> {
    const [deployment, pods] = await Promise.all([this.#deployment(colour), this.#pods(colour)]);
    if (deployment === undefined) return { running: false, restarts: 0 };
    const image = imageOf(deployment);
    const present = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const digest = /sha256:[0-9a-f]{64}/.exec(image ?? "")?.[0] ?? present.map(containerOf).find(Boolean)?.imageID;
    const revision = deployment.metadata.annotations?.["deployment.kubernetes.io/revision"] ?? "";
    return {
      ...(image === undefined ? {} : { image }),
      ...(digest === undefined || digest === "" ? {} : { digest }),
      // The revision grows with every change of the pods' template, whoever makes it.
      id: `${deployment.metadata.uid ?? ""}@${revision}`,
      running: present.some(({ status }) => status?.phase === "Running"),
      restarts: present.reduce((sum, pod) => sum + (containerOf(pod)?.restartCount ?? 0), 0),
    };
  }

  async logs(colour: Colour, lines: number): Promise<string> {
    const pods = await this.#pods(colour);
    const worst = pods.sort((a, b) => trouble(b) - trouble(a))[0];
    const container = worst?.spec?.containers[0]?.name;
    if (worst === undefined || container === undefined) return "";
    const restarted = (containerOf(worst)?.restartCount ?? 0) > 0;
    return this.#options.cluster.log(worst.metadata.name, container, lines, restarted);
  }

  /** Waits until all replicas are of the newest template and ready. @throws UserError where that is hopeless or late */
  async #rolledOut(colour: Colour, signal: AbortSignal): Promise<void> {
    const seconds = this.#options.readySeconds ?? 300;
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      const [{ metadata, spec, status }, pods] = await Promise.all([this.#existing(colour), this.#pods(colour)]);
      const wanted = spec?.replicas ?? 1;
      const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = status ?? {};
      const settled = observedGeneration >= (metadata.generation ?? 0) && replicas === updatedReplicas;
      if (settled && updatedReplicas === wanted && availableReplicas >= wanted) return;
      const stuck = pods.map(stuckBecause).find((reason) => reason !== undefined);
      const late = performance.now() > deadline;
      if (stuck !== undefined || late) {
        const lines = (await this.logs(colour, 3).catch(() => "")).trim();
        throw new UserError(
          `slot ${colour}`,
          `${stuck ?? `${String(availableReplicas)} of ${String(wanted)} replicas are ready after ${String(seconds)} s`}${lines === "" ? "" : `; its last lines: ${lines}`}`,
          `kubectl --namespace ${this.#options.cluster.namespace} get pods --selector ${LABELS.colour}=${colour}`,
        );
      }
      await sleep(500, undefined, { signal });
    }
  }

  async #scale(colour: Colour, replicas: number): Promise<void> {
    const { cluster } = this.#options;
    const metadata = { name: slotHost(colour), namespace: cluster.namespace };
    await cluster.apply(
      { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas } } as never,
      SCALE_MANAGER,
    );
  }

  async #existing(colour: Colour): Promise<Found<Deployment>> {
    const deployment = await this.#deployment(colour);
    if (deployment !== undefined) return deployment;
    throw new UserError(`Deployment ${slotHost(colour)}`, "is not there", "./exai up staging   (or prod)");
  }

  async #deployment(colour: Colour): Promise<Found<Deployment> | undefined> {
    const name = slotHost(colour);
    return this.#options.cluster.read<Deployment>({ apiVersion: "apps/v1", kind: "Deployment", name });
  }

  /** Those that are going as well, without the ones that have ended. */
  async #pods(colour: Colour): Promise<Found<Pod>[]> {
    const { cluster, instance } = this.#options;
    const labels = { [LABELS.instance]: instance, [LABELS.component]: "server", [LABELS.colour]: colour };
    const pods = await cluster.list<Pod>("v1", "Pod", labels);
    return pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  }
}

function imageOf(deployment: Deployment): string | undefined {
  return deployment.spec?.template.spec?.containers[0]?.image;
}

function containerOf(pod: Pod): ContainerStatus | undefined {
  return pod.status?.containerStatuses?.[0];
}

function stuckBecause(pod: Pod): string | undefined {
  const waiting = containerOf(pod)?.state?.waiting;
  if (waiting?.reason === undefined || !HOPELESS.includes(waiting.reason)) return undefined;
  return `${pod.metadata?.name ?? "a pod"}: ${waiting.reason}${waiting.message === undefined ? "" : `, ${waiting.message}`}`;
}

/** How much a pod's log has to say about a failure. */
function trouble(pod: Pod): number {
  const container = containerOf(pod);
  return (container?.restartCount ?? 0) * 10 + (container?.ready === true ? 0 : 1);
}
