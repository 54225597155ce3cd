import type { Slot } from "../../../contract/slots.ts";

/** What runs in a slot. */
export interface SlotStatus {
  /** As it was asked for: a tag or a digest. Absent when the slot is empty. */
  readonly image?: string;
  /** Content address of the image. */
  readonly digest?: string;
  /** Identity of the container; another one means that somebody replaced it. */
  readonly id?: string;
  readonly running: boolean;
  /** Restarts of this container since it was made. */
  readonly restarts: number;
}

/** Puts images into slots. Compose on `local`, the Automation API elsewhere. */
export interface SlotDeployer {
  /**
   * Makes the slot run the image and returns when its container was started; the other slot and the router stay
   * untouched. Idempotent: a controller that was killed calls it again.
   *
   * @throws UserError when the image cannot be had or the container cannot be made.
   */
  deploy(slot: Slot, image: string, signal: AbortSignal): Promise<SlotStatus>;
  /**
   * Asks what runs in the slot to stop (SIGTERM) and returns when it has: the server closes its WebSockets with 1012
   * spread over the grace time. What still runs after it is killed. The slot stays empty until the next deployment, and
   * the traffic stays as it is. Idempotent; a slot that is empty already is no error.
   */
  drain(slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<void>;
  status(slot: Slot): Promise<SlotStatus>;
  /**
   * Where an image would come from, in a few words, without fetching it. A cutover asks before it touches anything. Absent
   * where only a deployment can tell.
   *
   * @throws UserError when it cannot be had.
   */
  locate?(image: string, signal: AbortSignal): Promise<string>;
  /** The last lines that the slot's container wrote, for the reader of a failure. */
  logs?(slot: Slot, lines: number): Promise<string>;
}
