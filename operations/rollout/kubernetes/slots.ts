import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../../contract/slots.ts";
import { slotHost } from "../../../contract/envoy/names.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { SlotDeployer, SlotStatus } from "../ports/deployer.ts";
import type { Cluster } from "./cluster.ts";
import type { Deployment } from "./api-types.ts";
import { containerOf, SlotObjects } from "./slot-objects.ts";

/** Puts images into slots. */
export interface SlotImages {
  /** Changes the image of a slot's Deployment, and nothing else. */
  put(slot: Slot, image: string, signal: AbortSignal): Promise<void>;
  /** Where an image would come from. @throws UserError if it is not available */
  locate(image: string, signal: AbortSignal): Promise<string>;
}

export interface KubernetesSlotsOptions {
  readonly cluster: Cluster;
  readonly instance: string;
  /** Replicas of a slot at full scale. */
  readonly replicas: number;
  readonly images: SlotImages;
  /** Deadline for all replicas to be ready. @default 300 */
  readonly readySeconds?: number;
}

/** Field manager of a slot's replicas while the slot is drained. */
const SCALE_MANAGER = "exai-rollout-scale";

/** Seconds after the pods' grace period at which a running pod counts as stuck. */
const STUCK_SECONDS = 30;

/** The slots of a cluster: one Deployment each. The engine sets its image, the rollout its scale. */
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
        `has ${imageOf(deployment) ?? "no image"} instead of ${image}`,
        fix`${command("preview staging")} (or ${command("preview prod")}) shows what the engine would change`,
      );
    // The slot was drained, or the engine found the same image in an empty slot and changed nothing.
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
          "timeout",
          `slot ${slot}`,
          `${left.map(({ metadata }) => metadata.name).join(", ")} did not stop within the grace period`,
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
      // The revision grows with every change of the pod template.
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
