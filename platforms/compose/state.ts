import { randomInt } from "node:crypto";
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { command, fix } from "../../contract/fix.ts";
import { claimHome } from "../../contract/machine/stack-home.ts";
import { readTexts, secretsFix, slotsFix, type Texts } from "../../contract/machine/texts.ts";
import { writeDurably } from "../../operations/rollout/host/durable-files.ts";
import { withFileLock } from "./file-lock.ts";

/** Letters and digits that a generated password is made of. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * The state of a local stack: generated passwords and the image of each slot, as JSON files in its home directory. It
 * corresponds to the engine's state of a `pulumi up`. Each change is made under a lock of its file, so that two processes
 * that start on an empty home use the same passwords.
 */
export class FileState {
  readonly home: string;
  readonly #instance: string;
  #passwords: Texts;

  /** @param instance whose folder the home is; a folder of another instance is never written to */
  constructor(home: string, instance: string) {
    this.home = home;
    this.#instance = instance;
    this.#passwords = readState(home, "secrets.json");
  }

  /** Makes the folder before the first password. @throws Error of the system, or UserError, if it could not be stored */
  prepare(): void {
    if (existsSync(join(this.home, "secrets.json"))) return;
    claimHome(this.home, this.#instance);
    accessSync(this.home, constants.W_OK);
  }

  /** The password of that name; generated and stored at the first use. */
  password(name: string, length: number): string {
    const known = this.#passwords[name];
    if (known !== undefined) return known;
    this.#passwords = this.#change("secrets.json", (present) =>
      present[name] === undefined ? { ...present, [name]: randomPassword(length) } : present,
    );
    return this.#passwords[name] ?? "";
  }

  /** A password that exists already; undefined if it does not. Generates none. */
  known(name: string): string | undefined {
    this.#passwords = readState(this.home, "secrets.json");
    return this.#passwords[name];
  }

  /** Sets passwords, and removes those that are given as undefined, in one write. */
  setPasswords(changes: Readonly<Record<string, string | undefined>>): void {
    this.#passwords = this.#change("secrets.json", (present) =>
      Object.fromEntries(
        Object.entries({ ...present, ...changes }).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as const],
        ),
      ),
    );
  }

  /** Image per slot that a cutover has deployed. */
  slots(): { readonly blue?: string; readonly green?: string } {
    return readState(this.home, "slots.json");
  }

  /** Stores the image of a slot. */
  setSlot(slot: "blue" | "green", image: string): void {
    this.#change("slots.json", (present) => ({ ...present, [slot]: image }));
  }

  /** What `--set` gave the `up`s. */
  overrides(): Texts {
    return readState(this.home, "overrides.json");
  }

  /** Sets what `--set` gives, and removes what is empty. */
  setOverrides(given: Texts): void {
    this.#change("overrides.json", (present) => {
      const next = Object.fromEntries(Object.entries({ ...present, ...given }).filter(([, value]) => value !== ""));
      return isDeepStrictEqual(next, present) ? present : next;
    });
  }

  /** Changes a file, and returns what it contains after it. */
  #change(name: keyof typeof FIXES, change: (present: Texts) => Texts): Texts {
    claimHome(this.home, this.#instance);
    const path = join(this.home, name);
    return withFileLock(path, () => {
      const present = readState(this.home, name);
      const next = change(present);
      if (next !== present) writeDurably(path, `${JSON.stringify(next, null, 2)}\n`, 0o600);
      return next;
    });
  }
}

/** Random letters and digits. */
export function randomPassword(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

/** How to correct the content of each file. Without its passwords the data cannot be opened, but a copy of the file opens it. */
const FIXES = {
  "overrides.json": (path: string) => fix`rm ${path}, then ${command("up")} with the same --set options`,
  "secrets.json": secretsFix,
  "slots.json": slotsFix,
} as const;

function readState(home: string, name: keyof typeof FIXES): Texts {
  const path = join(home, name);
  return readTexts(path, FIXES[name](path));
}
