import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { generatedName, ROTATED_KEY } from "../../contract/engine/names.ts";
import { keyId, type JwtKeyName } from "../../contract/jwt.ts";
import { writeDurably } from "../../operations/rollout/host/durable-files.ts";
import { parseRotation } from "../../operations/secrets/record.ts";
import { unfinishedRotation, type Rotation } from "../../operations/secrets/rotation.ts";
import type { RotationStore } from "../../operations/secrets/store.ts";
import type { ConfigSource } from "../../stacks/settings/source.ts";
import type { FileState } from "./state.ts";
import { randomPassword } from "./state.ts";

/** Name in `secrets.json` of the next key during a rotation. */
const NEXT = "next-jwt";
/** Name under which the program generates the first key, and its length. */
const GENERATED = { name: generatedName("jwt"), length: 48 } as const;

function rotationPath(home: string): string {
  return join(home, "rotation.json");
}

/** The record of a local stack's rotation. */
export function readRotation(home: string): Rotation | undefined {
  const path = rotationPath(home);
  return existsSync(path) ? parseRotation(readFileSync(path, "utf8"), path) : undefined;
}

/** The keys of a local stack as settings: those of a rotation win over those that the program generates. */
export function jwtSettings(state: FileState, source: ConfigSource): Readonly<Record<string, string>> {
  // A rotation does not change a key of the stack file.
  if ((source.get("jwtSecret") ?? "") !== "") return {};
  const rotation = readRotation(state.home);
  const [current, next] = [state.known(ROTATED_KEY), state.known(NEXT)];
  return {
    ...(current === undefined ? {} : { jwtSecret: current }),
    // If the next key is missing, it has become the current one, and only the record does not show it yet.
    ...(unfinishedRotation(rotation) && next !== undefined
      ? { jwtSecretNext: next, blueJwtKeys: rotation.wanted.blue, greenJwtKeys: rotation.wanted.green }
      : {}),
  };
}

/** The keys of a local stack in `secrets.json`, and the record in `rotation.json`. */
export class FileRotationStore implements RotationStore {
  readonly #state: FileState;
  readonly #source: ConfigSource;

  /** @param source the stack file and the command line */
  constructor(state: FileState, source: ConfigSource) {
    this.#state = state;
    this.#source = source;
  }

  read(): Promise<Rotation | undefined> {
    return Promise.resolve(readRotation(this.#state.home));
  }

  prepare(): Promise<Rotation["kids"]> {
    for (const key of ["jwtSecret", "jwtSecretPrevious", "jwtSecretNext"])
      if ((this.#source.get(key) ?? "") !== "")
        throw new UserError(
          "state-conflict",
          `exai:${key}`,
          "is in the stack file, but a rotation of a local stack changes the generated key",
          fix`remove exai:${key} from the stack file, then ${command("up")}`,
        );
    const next = randomPassword(GENERATED.length);
    this.#state.setPasswords({ [NEXT]: next });
    return Promise.resolve({ current: keyId(this.#current()), next: keyId(next) });
  }

  write(rotation: Rotation): Promise<void> {
    writeDurably(rotationPath(this.#state.home), `${JSON.stringify(rotation, undefined, 2)}\n`, 0o600);
    return Promise.resolve();
  }

  settle(rotation: Rotation, stays: JwtKeyName): Promise<void> {
    const next = this.#state.known(NEXT);
    if (next !== undefined)
      this.#state.setPasswords({ [NEXT]: undefined, ...(stays === "next" ? { [ROTATED_KEY]: next } : {}) });
    return this.write(rotation);
  }

  #current(): string {
    return this.#state.known(ROTATED_KEY) ?? this.#state.password(GENERATED.name, GENERATED.length);
  }
}
