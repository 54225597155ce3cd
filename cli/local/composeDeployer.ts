import type { Colour } from "../../contract/colours.ts";
import { UserError } from "../../contract/errors.ts";
import { runProgram } from "../../operations/docker/process.ts";
import { imageLabels } from "../../operations/docker/cli.ts";
import { ensureImages } from "../../operations/images/ensure.ts";
import type { SlotDeployer, SlotStatus } from "../../operations/rollout/deployer.ts";
import { serverName } from "../../stacks/settings.ts";
import { apply } from "./apply.ts";
import { containersOf } from "./engine.ts";
import { localProject, localStack, type Overrides } from "./project.ts";

/** Puts images into the slots of a stack that Compose runs: only the slot's own container is made anew. */
export class ComposeDeployer implements SlotDeployer {
  readonly #stack: string;
  readonly #overrides: Overrides;

  constructor(stack: string, overrides: Overrides) {
    this.#stack = stack;
    this.#overrides = overrides;
  }

  async deploy(colour: Colour, image: string, signal: AbortSignal): Promise<SlotStatus> {
    if ((await imageLabels(image)) === undefined) await this.#fetch(image, signal);
    const stack = localStack(this.#stack, this.#overrides);
    // Remembered before the container is made: a later `up` has to come to the same stack.
    stack.state.setSlot(colour, image);
    const project = await localProject(localStack(this.#stack, { ...this.#overrides, [`${colour}Image`]: image }));
    const events = apply(project, {
      services: new Map([[serverName(colour), `runs ${image}`]]),
      dependencies: false,
      waitForHealth: false,
      signal,
    });
    while ((await events.next()).done !== true); // its progress is the rollout's own
    return this.status(colour);
  }

  async status(colour: Colour): Promise<SlotStatus> {
    const { settings } = localStack(this.#stack, this.#overrides);
    const container = (await containersOf(settings.instance)).get(serverName(colour));
    if (container === undefined) return { running: false, restarts: 0 };
    return {
      image: container.image,
      digest: container.imageId,
      id: container.id,
      running: container.state === "running",
      restarts: container.restarts,
    };
  }

  async logs(colour: Colour, lines: number): Promise<string> {
    const { settings } = localStack(this.#stack, this.#overrides);
    const container = (await containersOf(settings.instance)).get(serverName(colour));
    if (container === undefined) return "";
    const ran = await runProgram("docker", ["logs", "--tail", String(lines), container.id]);
    return `${ran.stdout}${ran.stderr}`.trim();
  }

  async #fetch(image: string, signal: AbortSignal): Promise<void> {
    const events = ensureImages([image], { signal });
    for (;;) {
      const { done, value } = await events.next();
      if (done !== true) continue;
      if (value.missing.length === 0) return;
      throw new UserError(
        `image ${image}`,
        "is not on this machine and cannot be pulled",
        `docker pull ${image}, or: ./exai image build --tag ${image}`,
      );
    }
  }
}
