import type { JwtKeyName } from "../../contract/jwt.ts";
import type { Rotation } from "./rotation.ts";

/** Storage of a stack's keys for tokens and of the record of their rotation. Writes survive a crash. */
export interface RotationStore {
  read(): Promise<Rotation | undefined>;
  /**
   * Creates the next key and stores it next to the current one. Replaces an existing next key that no rotation uses.
   *
   * @returns the identifiers of both keys, if they are known
   * @throws UserError if this tool does not manage the stack's keys
   */
  prepare(): Promise<Rotation["kids"]>;
  /** Stores the record; from then on the slots are deployed with the keys that it wants. */
  write(rotation: Rotation): Promise<void>;
  /** Removes the other key, then stores the record, whose phase is `done`. Idempotent. */
  settle(rotation: Rotation, stays: JwtKeyName): Promise<void>;
}
