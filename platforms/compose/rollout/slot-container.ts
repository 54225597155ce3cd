import type { Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { docker, imageLabels, tryDocker } from "../../../operations/docker/cli.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { ensureImages } from "../../../operations/images/ensure.ts";
import { sourceOf } from "../../../operations/images/sources.ts";
import type { SlotStatus } from "../../../operations/rollout/ports/deployer.ts";
import { serverName } from "../../../stacks/settings.ts";
import { containersOf, type RunningContainer } from "../containers.ts";

/** The container of an instance's slot; undefined if there is none. */
export async function slotContainer(instance: string, slot: Slot): Promise<RunningContainer | undefined> {
  return (await containersOf(instance, serverName(slot))).get(serverName(slot));
}

/**
 * A slot as the rollout sees it.
 *
 * @param requested the image that was requested for the slot. The Pulumi engine makes containers from image identifiers,
 *   so a container that it made does not have the name.
 */
export function slotStatus(container: RunningContainer | undefined, requested?: string): SlotStatus {
  if (container === undefined) return { running: false, restarts: 0 };
  const image = container.hash === "" ? (requested ?? container.image) : container.image;
  return {
    image,
    digest: container.imageId,
    id: container.id,
    running: container.state === "running",
    restarts: container.restarts,
  };
}

/**
 * Stops a slot's container and keeps it: its log stays readable, Docker's restart policy does not start it, and the next
 * deployment or `up` starts or replaces it.
 */
export async function drainSlot(
  container: RunningContainer | undefined,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  if (container === undefined || container.state === "exited" || container.state === "created") return;
  await docker(["stop", "--time", String(Math.ceil(graceSeconds)), container.id], { signal });
}

/** Starts a slot's container that a drain has stopped. */
export async function startSlot(container: RunningContainer | undefined, signal: AbortSignal): Promise<void> {
  if (container?.state === "exited") await docker(["start", container.id], { signal });
}

/** The last lines that a container wrote; empty if there is no container. */
export async function lastLines(container: RunningContainer | undefined, lines: number): Promise<string> {
  if (container === undefined) return "";
  const ran = await runProgram("docker", ["logs", "--tail", String(lines), container.id]);
  return `${ran.stdout}${ran.stderr}`.trim();
}

/** How long a registry may take to answer, in milliseconds. */
const REGISTRY_MS = 15_000;

/** Where an image would come from. @throws UserError if it is not on this machine and no registry has it */
export async function locateImage(image: string, signal: AbortSignal): Promise<string> {
  if ((await imageLabels(image, { signal })) !== undefined) return "on this machine";
  if (sourceOf(image) !== undefined) return "built on this machine first";
  const asked = await tryDocker(["manifest", "inspect", image], { signal, timeoutMs: REGISTRY_MS });
  if (asked.code === 0) return "in its registry";
  throw unavailableImage(image);
}

/** Pulls or builds an image that is not on this machine. @throws UserError if neither is possible */
export async function provideImage(image: string, signal: AbortSignal): Promise<void> {
  if ((await imageLabels(image)) !== undefined) return;
  const events = ensureImages([image], { signal });
  for (;;) {
    const { done, value } = await events.next();
    if (done !== true) continue; // the rollout reports its own progress
    if (value.missing.length === 0) return;
    throw unavailableImage(image);
  }
}

function unavailableImage(image: string): UserError {
  return new UserError(
    "not-found",
    `image ${image}`,
    "is not on this machine and cannot be pulled",
    fix`docker pull ${image}, or ${command(`image build --tag ${image}`)}`,
  );
}
