import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { keyId, type JwtKeyName } from "../../contract/jwt.ts";
import { parseRotation } from "../../operations/secrets/record.ts";
import type { Rotation } from "../../operations/secrets/rotation.ts";
import type { RotationStore } from "../../operations/secrets/store.ts";
import { randomPassword } from "../compose/state.ts";

/** Letters and digits of a generated key, as in the program. */
const LENGTH = 48;

/** The stack's settings, secrets in plain text; keys without `exai:`. */
export interface StackConfig {
  read(): Promise<Readonly<Record<string, string>>>;
  /** Sets values, or removes those that are undefined. */
  set(values: Readonly<Record<string, string | undefined>>, options?: { readonly secret?: boolean }): Promise<void>;
}

/**
 * The keys of a stack on a cluster: encrypted in `Pulumi.<stack>.yaml`, next to the record of the rotation. The keys are
 * written one by one, in an order from which an interrupted rotation can continue.
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
        "is set: a manual rotation is not finished, and this one would drop that key immediately",
        fix`when its tokens have expired: pulumi config rm --stack ${this.#stack} exai:jwtSecretPrevious, then ${command(`up ${this.#stack}`)}`,
      );
    const next = randomPassword(LENGTH);
    await this.#config.set({ jwtSecretNext: next }, { secret: true });
    return { next: keyId(next), ...(jwtSecret === undefined ? {} : { current: keyId(jwtSecret) }) };
  }

  async write(rotation: Rotation): Promise<void> {
    // The record first: a slot's keys are not valid without it.
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
    // Both names hold the same key now, so a slot gets the same files from either.
    await this.#config.set({ blueJwtKeys: undefined, greenJwtKeys: undefined });
    if (jwtSecretNext !== undefined) await this.#config.set({ jwtSecretNext: undefined });
    await this.#config.set({ jwtRotation: JSON.stringify(rotation) });
  }
}
