import { UserError } from "../../contract/errors.ts";
import { keyId, type JwtKeyName } from "../../contract/jwt.ts";
import { parseRotation } from "../../operations/secrets/record.ts";
import type { Rotation } from "../../operations/secrets/rotation.ts";
import type { RotationStore } from "../../operations/secrets/store.ts";
import { randomPassword } from "../compose/state.ts";

/** Length of a key that is made here: 48 letters and digits, as the program generates them. */
const LENGTH = 48;

/** The stack's settings, secrets in the clear; keys without `exai:`. */
export interface StackConfig {
  read(): Promise<Readonly<Record<string, string>>>;
  /** Sets values, or removes those that are undefined. */
  set(values: Readonly<Record<string, string | undefined>>, options?: { readonly secret?: boolean }): Promise<void>;
}

/**
 * The keys of a stack whose settings the engine keeps: encrypted in `Pulumi.<stack>.yaml`, with the record beside them.
 * One key is written after the other, in an order that each run of a killed rotation can go on from.
 */
export class SettingsRotationStore implements RotationStore {
  readonly #config: StackConfig;
  readonly #stack: string;

  constructor(stack: string, config: StackConfig) {
    this.#stack = stack;
    this.#config = config;
  }

  async read(): Promise<Rotation | undefined> {
    const { jwtRotation } = await this.#config.read();
    return jwtRotation === undefined ? undefined : parseRotation(jwtRotation, "exai:jwtRotation");
  }

  async prepare(): Promise<Rotation["kids"]> {
    const { jwtSecret, jwtSecretPrevious } = await this.#config.read();
    if (jwtSecretPrevious !== undefined)
      throw new UserError(
        "state-conflict",
        "exai:jwtSecretPrevious",
        "is set: a rotation by hand is not over, and this one would drop that key at once",
        `when its tokens have expired: pulumi config rm --stack ${this.#stack} exai:jwtSecretPrevious, ./exai up ${this.#stack}`,
      );
    const next = randomPassword(LENGTH);
    await this.#config.set({ jwtSecretNext: next }, { secret: true });
    return { next: keyId(next), ...(jwtSecret === undefined ? {} : { current: keyId(jwtSecret) }) };
  }

  async write(rotation: Rotation): Promise<void> {
    // The record first: a slot's keys without it would be nobody's.
    await this.#config.set({
      jwtRotation: JSON.stringify(rotation),
      blueJwtKeys: rotation.wanted.blue,
      greenJwtKeys: rotation.wanted.green,
    });
  }

  async settle(rotation: Rotation, stays: JwtKeyName): Promise<void> {
    const { jwtSecretNext } = await this.#config.read();
    if (stays === "next" && jwtSecretNext !== undefined)
      await this.#config.set({ jwtSecret: jwtSecretNext }, { secret: true });
    // Both names hold the same key now, so a slot comes to the same files by either.
    await this.#config.set({ blueJwtKeys: undefined, greenJwtKeys: undefined });
    if (jwtSecretNext !== undefined) await this.#config.set({ jwtSecretNext: undefined });
    await this.#config.set({ jwtRotation: JSON.stringify(rotation) });
  }
}
