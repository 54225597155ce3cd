import type { Slot } from "../../contract/slots.ts";
import { UserError } from "../../contract/errors.ts";
import { docker, imageLabels, tryDocker } from "../../operations/docker/cli.ts";
import { runProgram } from "../../operations/docker/process.ts";
import type { SlotStatus } from "../../operations/rollout/ports/deployer.ts";
import { serverName } from "../../stacks/settings.ts";
import { containersOf, type RunningContainer } from "./containers.ts";
import { localStack, type Overrides } from "./project.ts";

/** The container of a slot, whoever made it; undefined where there is none. */
export async function slotContainer(
  stack: string,
  overrides: Overrides,
  slot: Slot,
): Promise<RunningContainer | undefined> {
  const { settings } = localStack(stack, overrides);
  return (await containersOf(settings.instance)).get(serverName(slot));
}

/** A slot as the rollout sees it; `image` is what was asked for, where the container does not say it itself. */
export function slotStatus(container: RunningContainer | undefined, image = container?.image): SlotStatus {
  if (container === undefined) return { running: false, restarts: 0 };
  return {
    ...(image === undefined ? {} : { image }),
    digest: container.imageId,
    id: container.id,
    running: container.state === "running",
    restarts: container.restarts,
  };
}

/**
 * Stops a slot's container and leaves it there: its log stays readable, Docker's restart policy does not bring it back,
 * and the next deployment or `up` starts or replaces it like any other.
 */
export async function drainSlot(
  container: RunningContainer | undefined,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  if (container === undefined || container.state === "exited" || container.state === "created") return;
  await docker(["stop", "--time", String(Math.ceil(graceSeconds)), container.id], { signal });
}

/** Starts a slot's container again where a drain has stopped it. */
export async function startSlot(container: RunningContainer | undefined, signal: AbortSignal): Promise<void> {
  if (container?.state === "exited") await docker(["start", container.id], { signal });
}

/** The last lines that a container wrote; nothing where there is none. */
export async function lastLines(container: RunningContainer | undefined, lines: number): Promise<string> {
  if (container === undefined) return "";
  const ran = await runProgram("docker", ["logs", "--tail", String(lines), container.id]);
  return `${ran.stdout}${ran.stderr}`.trim();
}

/** Longest wait for a registry's word about an image, in milliseconds. */
const REGISTRY_MS = 15_000;

/** Where an image would come from. @throws UserError where it is not here and no registry has it */
export async function locateImage(image: string, signal: AbortSignal): Promise<string> {
  if ((await imageLabels(image, { signal })) !== undefined) return "on this machine";
  const { sourceOf } = await import("../../operations/images/sources.ts");
  if (sourceOf(image) !== undefined) return "built on this machine first";
  const asked = await tryDocker(["manifest", "inspect", image], { signal, timeoutMs: REGISTRY_MS });
  if (asked.code === 0) return "in its registry";
  throw cannotBeHad(image);
}

/** Brings an image to this machine. @throws UserError where it is not here and cannot be had */
export async function provideImage(image: string, signal: AbortSignal): Promise<void> {
  if ((await imageLabels(image)) !== undefined) return;
  const { ensureImages } = await import("../../operations/images/ensure.ts");
  const events = ensureImages([image], { signal });
  for (;;) {
    const { done, value } = await events.next();
    if (done !== true) continue; // its progress is the rollout's own
    if (value.missing.length === 0) return;
    throw cannotBeHad(image);
  }
}

function cannotBeHad(image: string): UserError {
  return new UserError(
    "not-found",
    `image ${image}`,
    "is not on this machine and cannot be pulled",
    `docker pull ${image}, or: ./exai image build --tag ${image}`,
  );
}
