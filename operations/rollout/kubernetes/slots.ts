import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../contract/slots.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { UserError } from "../../../contract/errors.ts";
import type { SlotDeployer, SlotStatus } from "../ports/deployer.ts";
import type { Cluster } from "./cluster.ts";
import type { Deployment } from "./api-types.ts";
import { containerOf, SlotObjects } from "./slot-objects.ts";

/** What knows how a slot comes to an image. */
export interface SlotImages {
  /** Makes a slot's Deployment have an image, and touches nothing else. */
  put(slot: Slot, image: string, signal: AbortSignal): Promise<void>;
  /** Says where an image would come from. @throws UserError when no slot could have it */
  locate(image: string, signal: AbortSignal): Promise<string>;
}

export interface KubernetesSlotsOptions {
  readonly cluster: Cluster;
  readonly instance: string;
  /** Replicas of a slot at full scale. */
  readonly replicas: number;
  readonly images: SlotImages;
  /** Until all replicas of a deployment are ready. @default 300 */
  readonly readySeconds?: number;
}

/** Owner of a slot's replicas while the slot is drained. */
const SCALE_MANAGER = "exai-rollout-scale";

/** Seconds beyond the pods' own grace until what still runs counts as stuck. */
const STUCK_SECONDS = 30;

/** The slots of a cluster: a Deployment each, whose image is put there by the engine and whose scale is the rollout's. */
export class KubernetesSlots implements SlotDeployer {
  readonly #options: KubernetesSlotsOptions;
  readonly #objects: SlotObjects;

  constructor(options: KubernetesSlotsOptions) {
    this.#options = options;
    this.#objects = new SlotObjects(options.cluster, options.instance);
  }

  async deploy(slot: Slot, image: string, signal: AbortSignal): Promise<SlotStatus> {
    await this.#options.images.put(slot, image, signal);
    const deployment = await this.#objects.existing(slot);
    if (imageOf(deployment) !== image)
      throw new UserError(
        "failed",
        `Deployment ${slotHost(slot)}`,
        `has ${imageOf(deployment) ?? "no image"} where ${image} was asked for`,
        "./exai preview staging   (or prod) shows what the engine would change",
      );
    // It was drained, or the same image was put into an empty slot, where the engine sees nothing to change.
    if (deployment.spec?.replicas === 0) await this.#scale(slot, this.#options.replicas);
    await this.#objects.rolledOut(slot, signal, this.#options.readySeconds);
    return this.status(slot);
  }

  async drain(slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<void> {
    const deployment = await this.#objects.deployment(slot);
    if (deployment === undefined) return;
    if (deployment.spec?.replicas !== 0) await this.#scale(slot, 0);
    const declared = deployment.spec?.template.spec?.terminationGracePeriodSeconds ?? graceSeconds;
    const deadline = performance.now() + (Math.max(declared, graceSeconds) + STUCK_SECONDS) * 1000;
    for (;;) {
      const left = await this.#objects.pods(slot);
      if (left.length === 0) return;
      if (performance.now() > deadline)
        throw new UserError(
          "failed",
          `slot ${slot}`,
          `${left.map(({ metadata }) => metadata.name).join(", ")} did not stop within the grace time`,
          `kubectl --namespace ${this.#options.cluster.namespace} describe pod ${left[0]?.metadata.name ?? ""}`,
        );
      await sleep(500, undefined, { signal });
    }
  }

  async status(slot: Slot): Promise<SlotStatus> {
    const [deployment, pods] = await Promise.all([this.#objects.deployment(slot), this.#objects.pods(slot)]);
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

  locate(image: string, signal: AbortSignal): Promise<string> {
    return this.#options.images.locate(image, signal);
  }

  logs(slot: Slot, lines: number): Promise<string> {
    return this.#objects.logs(slot, lines);
  }

  async #scale(slot: Slot, replicas: number): Promise<void> {
    const { cluster } = this.#options;
    const metadata = { name: slotHost(slot), namespace: cluster.namespace };
    await cluster.apply(
      { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas } } as never,
      SCALE_MANAGER,
    );
  }
}

function imageOf(deployment: Deployment): string | undefined {
  return deployment.spec?.template.spec?.containers[0]?.image;
}
