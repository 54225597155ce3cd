import type { JwtKeyName } from "../../contract/jwt.ts";
import type { Rotation } from "./rotation.ts";

/** Where a stack keeps its keys for tokens and how far their rotation is. What is written survives a crash. */
export interface RotationStore {
  read(): Promise<Rotation | undefined>;
  /**
   * Makes the next key and keeps it beside the current one; one that is there already and that no rotation uses is
   * replaced.
   *
   * @returns the identifiers of both keys, where they are known
   * @throws UserError where the stack's keys are not this tool's to change
   */
  prepare(): Promise<Rotation["kids"]>;
  /** Keeps the record; from then on the slots are deployed with the keys that it wants. */
  write(rotation: Rotation): Promise<void>;
  /** Makes the key that stays the only one, then keeps the record, which is done. Idempotent. */
  settle(rotation: Rotation, stays: JwtKeyName): Promise<void>;
}
