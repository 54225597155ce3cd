import type { Slot } from "../../../contract/slots.ts";
import type { SlotDeployer, SlotStatus } from "../../../operations/rollout/ports/deployer.ts";
import { serverName } from "../../../stacks/settings.ts";
import { loadEngine } from "../../pulumi/lazy.ts";
import { apply } from "../apply.ts";
import { imageIds } from "../containers.ts";
import { engineTarget } from "../project.ts";
import { dockerProject, dockerStack, type DockerStack } from "../project.ts";
import {
  drainSlot,
  lastLines,
  locateImage,
  provideImage,
  slotContainer,
  slotStatus,
  startSlot,
} from "./slot-container.ts";

/** Makes the container of a slot. The stack's settings already name the image. */
type MakeContainer = (stack: DockerStack, slot: Slot, image: string, signal: AbortSignal) => Promise<void>;

/** Deploys images to the slots of a local stack, with the tool that made the stack: Compose or the Pulumi engine. */
export class DockerDeployer implements SlotDeployer {
  readonly #stack: DockerStack;
  readonly #byCompose: () => Promise<boolean>;

  /** @param byCompose whether Compose made the stack; called by deployments only */
  constructor(stack: DockerStack, byCompose: () => Promise<boolean>) {
    this.#stack = stack;
    this.#byCompose = byCompose;
  }

  async deploy(slot: Slot, image: string, signal: AbortSignal): Promise<SlotStatus> {
    await provideImage(image, signal);
    // Stored before the container is made, so that a later `up` results in the same stack.
    this.#stack.state.setSlot(slot, image);
    const make = (await this.#byCompose()) ? byCompose : byEngine;
    await make(dockerStack(this.#stack.declared, { [`${slot}Image`]: image }), slot, image, signal);
    return this.status(slot);
  }

  async drain(slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<void> {
    await drainSlot(await this.#container(slot), graceSeconds, signal);
  }

  async status(slot: Slot): Promise<SlotStatus> {
    return slotStatus(await this.#container(slot), this.#stack.state.slots()[slot]);
  }

  locate(image: string, signal: AbortSignal): Promise<string> {
    return locateImage(image, signal);
  }

  async digestOf(image: string): Promise<string | undefined> {
    return (await imageIds([image])).get(image);
  }

  async logs(slot: Slot, lines: number): Promise<string> {
    return lastLines(await this.#container(slot), lines);
  }

  #container(slot: Slot) {
    return slotContainer(this.#stack.settings.instance, slot);
  }
}

/** Compose replaces the slot's own container only. */
const byCompose: MakeContainer = async (stack, slot, image, signal) => {
  const events = apply(await dockerProject(stack), {
    services: new Map([[serverName(slot), `runs ${image}`]]),
    dependencies: false,
    waitForHealth: false,
    signal,
  });
  while ((await events.next()).done !== true); // the rollout reports its own progress
};

/** The engine runs an `up` that is confined to the slot. */
const byEngine: MakeContainer = async (stack, slot, _image, signal) => {
  const { openEngine } = await loadEngine();
  const { engine } = await openEngine(engineTarget(stack));
  // The container, its image, and the carrier and volumes of its files.
  const events = engine.up({ signal, target: [`**::${serverName(slot)}*`] });
  while ((await events.next()).done !== true); // the rollout reports its own progress
  // The engine compares with its own state, which does not show that a drain has stopped the container.
  await startSlot(await slotContainer(stack.settings.instance, slot), signal);
};
