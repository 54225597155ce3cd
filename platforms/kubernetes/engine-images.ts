import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../contract/slots.ts";
import { slotHost } from "../../contract/envoy/names.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { SlotImages } from "../../operations/rollout/kubernetes/slots.ts";
import type { Overrides } from "../compose/project.ts";
import { locateRelease } from "./locate.ts";

/** How long a rollout waits for somebody else's `up` of the same stack. */
const WAIT_SECONDS = 600;

/** How often it tries, in seconds. */
const EVERY_SECONDS = 3;

/** Looks at the stack's settings with their secrets before a slot is touched. @throws UserError */
export type CheckSettings = (slot: Slot, config: Readonly<Record<string, string>>) => Promise<void>;

/** Images by an `up` of the engine that is confined to the slot's Deployment and the Secret that it mounts. */
export function engineImages(stack: string, overrides: Overrides, check: CheckSettings): SlotImages {
  const put: SlotImages["put"] = async (slot, image, signal) => {
    // Loaded here alone: a rollback to a warm slot deploys nothing, and does not wait for Pulumi's SDK.
    const { openEngine } = await import("../pulumi/open.ts");
    await whenUnlocked(signal, { waitSeconds: WAIT_SECONDS, everySeconds: EVERY_SECONDS }, async () => {
      const { engine, config } = await openEngine(stack, { ...overrides, [`${slot}Image`]: image }, { confined: true });
      await check(slot, config);
      const target = [`**Deployment::${slotHost(slot)}`, `**Secret::${slotHost(slot)}-secrets`];
      const events = engine.up({ signal, target });
      while ((await events.next()).done !== true); // its progress is the rollout's own
    });
  };
  return { put, locate: (image, signal) => locateRelease(image, { signal }) };
}

/**
 * Does something to a stack as soon as nobody else is at it. An `up` in mid-rollout is no reason to give the rollout up.
 *
 * @throws UserError with exit code 2 where the stack stays locked: the slot has not been touched
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
          "failed",
          error.where,
          `${error.message}, for longer than ${String(waitSeconds)} s`,
          error.fix,
          { cause: error },
        );
    }
    await sleep(everySeconds * 1000, undefined, { signal });
  }
}
