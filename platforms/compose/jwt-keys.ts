import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { keyId, type JwtKeyName } from "../../contract/jwt.ts";
import { parseRotation } from "../../operations/secrets/record.ts";
import { unfinishedRotation, type Rotation } from "../../operations/secrets/rotation.ts";
import type { RotationStore } from "../../operations/secrets/store.ts";
import type { ConfigSource } from "../../stacks/settings/source.ts";
import type { LocalState } from "./state.ts";
import { randomPassword } from "./state.ts";
import { writeDurably } from "../../operations/rollout/host/durable-files.ts";

/** Names in `secrets.json` of what a rotation has made: the key that it left, and the one that it is about to bring. */
const ROTATED = "rotated-jwt";
const NEXT = "next-jwt";
/** Name under which the program generates the first key, and its length. */
const GENERATED = { name: "generated-jwt", length: 48 } as const;

function rotationPath(home: string): string {
  return join(home, "rotation.json");
}

/** How far the rotation of a local stack is. */
export function readRotation(home: string): Rotation | undefined {
  const path = rotationPath(home);
  return existsSync(path) ? parseRotation(readFileSync(path, "utf8"), path) : undefined;
}

/** The keys of a local stack as settings: what a rotation has made wins over what the program generates. */
export function jwtSettings(state: LocalState, source: ConfigSource): Readonly<Record<string, string>> {
  // A key of the stack file is its owner's.
  if ((source.get("jwtSecret") ?? "") !== "") return {};
  const rotation = readRotation(state.home);
  const [current, next] = [state.known(ROTATED), state.known(NEXT)];
  return {
    ...(current === undefined ? {} : { jwtSecret: current }),
    // Where the key is gone from its place, it has become the current one, and only the record does not say so yet.
    ...(unfinishedRotation(rotation) && next !== undefined
      ? { jwtSecretNext: next, blueJwtKeys: rotation.wanted.blue, greenJwtKeys: rotation.wanted.green }
      : {}),
  };
}

/** The keys of a local stack in `secrets.json`, and the record beside it. */
export class LocalRotationStore implements RotationStore {
  readonly #state: LocalState;
  readonly #source: ConfigSource;

  /** `source`: the stack's settings as its file and the command line have them. */
  constructor(state: LocalState, source: ConfigSource) {
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
          "is in the stack file, and a rotation of a local stack changes the key that it generates",
          `remove exai:${key} from the stack file, then ./exai up`,
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
      this.#state.setPasswords({ [NEXT]: undefined, ...(stays === "next" ? { [ROTATED]: next } : {}) });
    return this.write(rotation);
  }

  #current(): string {
    return this.#state.known(ROTATED) ?? this.#state.password(GENERATED.name, GENERATED.length);
  }
}
