import type { Slot } from "../../../contract/slots.ts";

/** Status of a slot. */
export interface SlotStatus {
  /** As requested: a tag or a digest. Absent if the slot is empty. */
  readonly image?: string;
  /** Content address of the image. */
  readonly digest?: string;
  /** Identity of the container; it changes if the container is replaced. */
  readonly id?: string;
  readonly running: boolean;
  /** Restarts of this container since its creation. */
  readonly restarts: number;
}

/** Puts images into slots. Compose on `local`, the Automation API elsewhere. */
export interface SlotDeployer {
  /**
   * Runs the image in the slot and returns when its container has started. Does not change the other slot or the router.
   * Idempotent: the successor of a killed controller calls it again.
   *
   * @throws UserError if the image is not available or the container cannot be created
   */
  deploy(slot: Slot, image: string, signal: AbortSignal): Promise<SlotStatus>;
  /**
   * Stops the slot's server with SIGTERM and returns when it has stopped: the server closes its WebSockets with 1012, spread
   * over the grace time. Afterwards it is killed. The slot is empty until the next deployment; the traffic does not change.
   * Idempotent; an empty slot is not an error.
   */
  drain(slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<void>;
  status(slot: Slot): Promise<SlotStatus>;
  /**
   * Where an image would come from, in a few words, without fetching it. Called before a cutover changes anything. Absent if
   * only a deployment can find out.
   *
   * @throws UserError if the image is not available
   */
  locate?(image: string, signal: AbortSignal): Promise<string>;
  /** Content address that the image has now: a tag that was built again is another image. Absent if only a deployment finds out. */
  digestOf?(image: string): Promise<string | undefined>;
  /** The last lines of the log of the slot's container. */
  logs?(slot: Slot, lines: number): Promise<string>;
}
