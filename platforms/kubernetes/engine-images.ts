import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../contract/slots.ts";
import { slotHost } from "../../contract/envoy/names.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { SlotImages } from "../../operations/rollout/kubernetes/slots.ts";
import type { DeclaredStack } from "../declared.ts";
import { loadEngine } from "../pulumi/lazy.ts";
import { clusterTarget } from "./engine-target.ts";
import { locateRelease } from "./locate.ts";

/** How long a rollout waits for another `up` of the same stack. */
const WAIT_SECONDS = 600;

/** Between two tries, in seconds. */
const EVERY_SECONDS = 3;

/** Checks the stack's settings, with their secrets, before a slot is changed. @throws UserError */
export type CheckSettings = (slot: Slot, config: Readonly<Record<string, string>>) => Promise<void>;

/** Deploys images by an `up` of the engine that is confined to the slot's Deployment and the Secret that it mounts. */
export function engineImages(declared: DeclaredStack, check: CheckSettings): SlotImages {
  const put: SlotImages["put"] = async (slot, image, signal) => {
    const { openEngine } = await loadEngine();
    await whenUnlocked(signal, { waitSeconds: WAIT_SECONDS, everySeconds: EVERY_SECONDS }, async () => {
      const target = clusterTarget(declared, { [`${slot}Image`]: image });
      const { engine, config } = await openEngine(target, { confined: true });
      await check(slot, config);
      const resources = [`**Deployment::${slotHost(slot)}`, `**Secret::${slotHost(slot)}-secrets`];
      const events = engine.up({ signal, target: resources });
      while ((await events.next()).done !== true); // the rollout reports its own progress
    });
  };
  return { put, locate: (image, signal) => locateRelease(image, { signal }) };
}

/**
 * Runs work on a stack as soon as its lock is free. An `up` during a rollout does not fail the rollout.
 *
 * @throws UserError with exit code 2 if the stack stays locked: the slot has not been changed
 */
export async function whenUnlocked<T>(
  signal: AbortSignal,
  { waitSeconds, everySeconds }: { readonly waitSeconds: number; readonly everySeconds: number },
  work: () => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + waitSeconds * 1000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UserError) || error.exitCode !== EXIT.refused) throw error;
      if (performance.now() + everySeconds * 1000 > deadline)
        throw new UserError(
          "timeout",
          error.where,
          `${error.message} for longer than ${String(waitSeconds)} s`,
          error.fix,
          { cause: error },
        );
    }
    await sleep(everySeconds * 1000, undefined, { signal });
  }
}
