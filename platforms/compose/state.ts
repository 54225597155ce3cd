import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { writeDurably } from "../../operations/rollout/host/durable-files.ts";

/** Letters and digits that a generated password is made of. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * The state of a local stack: generated passwords and the image of each slot, as JSON files in its home directory. It
 * corresponds to the engine's state of a `pulumi up`.
 */
export class FileState {
  readonly home: string;
  private passwords: Record<string, string>;

  constructor(home: string) {
    this.home = home;
    this.passwords = readState(home, "secrets.json");
  }

  /** The password of that name; generated and stored at the first use. */
  password(name: string, length: number): string {
    // Another process may have generated it since: `status` during a first `up`.
    if (this.passwords[name] === undefined) this.passwords = readState(this.home, "secrets.json");
    const known = this.passwords[name];
    if (known !== undefined) return known;
    const made = randomPassword(length);
    this.passwords = { ...this.passwords, [name]: made };
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    writeDurably(join(this.home, "secrets.json"), `${JSON.stringify(this.passwords, null, 2)}\n`, 0o600);
    return made;
  }

  /** A password that exists already; undefined if it does not. Generates none. */
  known(name: string): string | undefined {
    this.passwords = readState(this.home, "secrets.json");
    return this.passwords[name];
  }

  /** Sets passwords, and removes those that are given as undefined, in one write. */
  setPasswords(changes: Readonly<Record<string, string | undefined>>): void {
    const next = { ...readState(this.home, "secrets.json"), ...changes };
    this.passwords = Object.fromEntries(
      Object.entries(next).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
    );
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    writeDurably(join(this.home, "secrets.json"), `${JSON.stringify(this.passwords, null, 2)}\n`, 0o600);
  }

  /** Image per slot that a cutover has deployed. */
  slots(): { readonly blue?: string; readonly green?: string } {
    return readState(this.home, "slots.json");
  }

  /** Stores the image of a slot. */
  setSlot(slot: "blue" | "green", image: string): void {
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    writeDurably(
      join(this.home, "slots.json"),
      `${JSON.stringify({ ...this.slots(), [slot]: image }, null, 2)}\n`,
      0o600,
    );
  }
}

/** Random letters and digits. */
export function randomPassword(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

/** How to correct each file. Without its passwords the data cannot be opened, so it is removed with them. */
const FIXES = {
  "secrets.json": (path: string) =>
    fix`restore ${path}, or remove the data: rm ${path}, then ${command("down --volumes")}`,
  "slots.json": (path: string) =>
    fix`write {"blue": "<image>", "green": "<image>"} to ${path}, with the images that \`docker ps\` shows`,
} as const;

/** @throws UserError if the file is not an object of strings */
function readState(home: string, name: keyof typeof FIXES): Record<string, string> {
  const path = join(home, name);
  if (!existsSync(path)) return {};
  const refused = (problem: string, cause?: unknown) =>
    new UserError("invalid-file", path, `${problem}; it holds the state of the local stack`, FIXES[name](path), {
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw refused("is not JSON", cause);
  }
  const texts = z.record(z.string(), z.string()).safeParse(value);
  if (!texts.success) throw refused("is not an object of strings");
  return texts.data;
}
