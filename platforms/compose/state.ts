import { randomInt } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { UserError } from "../../contract/errors.ts";
import { command, fix, type Fix } from "../../contract/fix.ts";
import { claimHome } from "../../contract/machine/stack-home.ts";
import { errorCode, writeDurably } from "../../operations/rollout/host/durable-files.ts";
import { withFileLock } from "./file-lock.ts";

/** Letters and digits that a generated password is made of. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

type Texts = Readonly<Record<string, string>>;

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
  "secrets.json": (path: string) =>
    fix`restore ${path} from a copy: nothing else opens the data. If the data may be lost: rm ${path}, then ${command("down --volumes")}`,
  "slots.json": (path: string) =>
    fix`write {"blue": "<image>", "green": "<image>"} to ${path}, with the images that \`docker ps\` shows`,
} as const;

/** @throws UserError if the file cannot be read, or is not an object of strings; it has then not been changed */
function readState(home: string, name: keyof typeof FIXES): Texts {
  const path = join(home, name);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return {};
    throw unreadable(path, error);
  }
  const refused = (problem: string, cause?: unknown) =>
    new UserError("invalid-file", path, `${problem}; it holds the state of the local stack`, FIXES[name](path), {
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refused("is not JSON", cause);
  }
  const texts = z.record(z.string(), z.string()).safeParse(value);
  if (!texts.success) throw refused("is not an object of strings");
  return texts.data;
}

/** A file that is there but cannot be read is not damaged: nothing may be generated in its place, and nothing be deleted. */
function unreadable(path: string, cause: unknown): unknown {
  const code = errorCode(cause);
  if (code === undefined) return cause;
  const denied = code === "EACCES" || code === "EPERM";
  const remedies: Readonly<Record<string, Fix>> = {
    EACCES: fix`run the command as the owner of the file: ls -l ${path}`,
    EPERM: fix`run the command as the owner of the file: ls -l ${path}`,
    EISDIR: fix`a folder has the file's name: move it away, and restore the file from a copy`,
    ENOTDIR: fix`a part of the path is a file: set homeDirectory to a folder`,
    EIO: fix`check the disk (dmesg); the file may still be intact`,
  };
  return new UserError(
    denied ? "permission-denied" : "invalid-file",
    path,
    `cannot be read (${code}); it holds the state of the local stack, and has not been changed`,
    remedies[code] ?? fix`check the file: ls -l ${path}`,
    { cause },
  );
}
