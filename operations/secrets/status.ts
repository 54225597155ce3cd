import type { Slot } from "../../contract/slots.ts";
import type { Operation } from "../../contract/events.ts";
import { usersSlot } from "../rollout/model/machine.ts";
import { readRollout, type RotationContext } from "./rotate.ts";
import { nextStep, unfinishedRotation, type Rotation, type RotationStep } from "./rotation.ts";

/** The state of a rotation. */
export type RotationStatus =
  /** No key has been rotated yet. */
  | { readonly state: "none" }
  /** The last rotation has ended. */
  | { readonly state: "ended"; readonly rotation: Rotation }
  /** A rotation is under way. */
  | {
      readonly state: "under-way";
      readonly rotation: Rotation;
      /** The slot that serves users. */
      readonly active: Slot;
      readonly step: RotationStep;
    };

/** Reads the state of the rotation. Changes nothing. @param now milliseconds since 1970 */
export async function* rotationStatus(
  context: Pick<RotationContext, "store" | "rollout">,
  now = Date.now(),
): Operation<RotationStatus> {
  const rotation = await context.store.read();
  if (rotation === undefined) return { state: "none" };
  if (!unfinishedRotation(rotation)) return { state: "ended", rotation };
  const active = usersSlot((yield* readRollout(context)).machine);
  return { state: "under-way", rotation, active, step: nextStep(rotation, active, now) };
}
