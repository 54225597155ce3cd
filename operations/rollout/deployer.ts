import type { Colour } from "../../contract/colours.ts";

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
  deploy(colour: Colour, image: string, signal: AbortSignal): Promise<SlotStatus>;
  status(colour: Colour): Promise<SlotStatus>;
  /** The last lines that the slot's container wrote, for the reader of a failure. */
  logs?(colour: Colour, lines: number): Promise<string>;
}
