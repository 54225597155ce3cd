import type { Slot } from "../../contract/slots.ts";
import { setInStackFile } from "./stack-file.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { SlotDeployer, SlotStatus } from "../../operations/rollout/ports/deployer.ts";
import { serverName } from "../../stacks/settings.ts";
import { localStack, type Overrides } from "../compose/project.ts";
import {
  drainSlot,
  lastLines,
  locateImage,
  provideImage,
  slotContainer,
  slotStatus,
  startSlot,
} from "../compose/slot-container.ts";

/** Puts images into the slots of a local stack that the Pulumi engine made: an `up` that is confined to the slot. */
export class EngineDeployer implements SlotDeployer {
  readonly #stack: string;
  readonly #overrides: Overrides;

  constructor(stack: string, overrides: Overrides) {
    this.#stack = stack;
    this.#overrides = overrides;
  }

  async deploy(slot: Slot, image: string, signal: AbortSignal): Promise<SlotStatus> {
    await provideImage(image, signal);
    // Remembered before the container is made: a later `up`, be it raw, has to come to the same stack.
    localStack(this.#stack, this.#overrides).state.setSlot(slot, image);
    if (Object.keys(this.#overrides).length === 0) setInStackFile(PROJECT_ROOT, this.#stack, `${slot}Image`, image);
    // Loaded here alone: a rollback deploys nothing, and does not wait for Pulumi's SDK.
    const { openEngine } = await import("./open.ts");
    const { engine } = await openEngine(this.#stack, { ...this.#overrides, [`${slot}Image`]: image });
    // The container, its image, and the carrier and volumes of its files; the rest of the stack is not looked at.
    const events = engine.up({ signal, target: [`**::${serverName(slot)}*`] });
    while ((await events.next()).done !== true); // its progress is the rollout's own
    // The engine compares with its own state, which does not know that a drain has stopped the container.
    await startSlot(await slotContainer(this.#stack, this.#overrides, slot), signal);
    return this.status(slot);
  }

  async drain(slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<void> {
    await drainSlot(await slotContainer(this.#stack, this.#overrides, slot), graceSeconds, signal);
  }

  async status(slot: Slot): Promise<SlotStatus> {
    const container = await slotContainer(this.#stack, this.#overrides, slot);
    // The engine makes containers from identifiers; the name that was asked for stands in the stack's own state.
    return slotStatus(container, localStack(this.#stack, this.#overrides).state.slots()[slot]);
  }

  locate(image: string, signal: AbortSignal): Promise<string> {
    return locateImage(image, signal);
  }

  async logs(slot: Slot, lines: number): Promise<string> {
    return lastLines(await slotContainer(this.#stack, this.#overrides, slot), lines);
  }
}
