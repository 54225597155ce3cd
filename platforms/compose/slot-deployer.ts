import type { Slot } from "../../contract/slots.ts";
import type { SlotDeployer, SlotStatus } from "../../operations/rollout/ports/deployer.ts";
import { serverName } from "../../stacks/settings.ts";
import { apply } from "./apply.ts";
import { localProject, localStack, type Overrides } from "./project.ts";
import { drainSlot, lastLines, locateImage, provideImage, slotContainer, slotStatus } from "./slot-container.ts";

/** Puts images into the slots of a stack that Compose runs: only the slot's own container is made anew. */
export class ComposeDeployer implements SlotDeployer {
  readonly #stack: string;
  readonly #overrides: Overrides;

  constructor(stack: string, overrides: Overrides) {
    this.#stack = stack;
    this.#overrides = overrides;
  }

  async deploy(slot: Slot, image: string, signal: AbortSignal): Promise<SlotStatus> {
    await provideImage(image, signal);
    const stack = localStack(this.#stack, this.#overrides);
    // Remembered before the container is made: a later `up` has to come to the same stack.
    stack.state.setSlot(slot, image);
    const project = await localProject(localStack(this.#stack, { ...this.#overrides, [`${slot}Image`]: image }));
    const events = apply(project, {
      services: new Map([[serverName(slot), `runs ${image}`]]),
      dependencies: false,
      waitForHealth: false,
      signal,
    });
    while ((await events.next()).done !== true); // its progress is the rollout's own
    return this.status(slot);
  }

  async drain(slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<void> {
    await drainSlot(await slotContainer(this.#stack, this.#overrides, slot), graceSeconds, signal);
  }

  async status(slot: Slot): Promise<SlotStatus> {
    return slotStatus(await slotContainer(this.#stack, this.#overrides, slot));
  }

  locate(image: string, signal: AbortSignal): Promise<string> {
    return locateImage(image, signal);
  }

  async logs(slot: Slot, lines: number): Promise<string> {
    return lastLines(await slotContainer(this.#stack, this.#overrides, slot), lines);
  }
}
