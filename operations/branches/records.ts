import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { errorCode, writeDurably } from "../rollout/host/durable-files.ts";

/** Texts by their names, such as `new-search.json`. */
export interface BranchRecords {
  /** A record's place, for messages. */
  placeOf(name: string): string;
  names(): Promise<readonly string[]>;
  /** @returns undefined if there is none */
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string): Promise<void>;
  /** One that does not exist is removed already. */
  remove(name: string): Promise<void>;
}

/** Records as the files of a folder. */
export class FolderRecords implements BranchRecords {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  placeOf(name: string): string {
    return join(this.#folder, name);
  }

  names(): Promise<readonly string[]> {
    return Promise.resolve(existsSync(this.#folder) ? readdirSync(this.#folder) : []);
  }

  read(name: string): Promise<string | undefined> {
    try {
      return Promise.resolve(readFileSync(this.placeOf(name), "utf8"));
    } catch (error) {
      if (errorCode(error) === "ENOENT") return Promise.resolve(undefined);
      throw error;
    }
  }

  write(name: string, text: string): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    writeDurably(this.placeOf(name), text, 0o600);
    return Promise.resolve();
  }

  remove(name: string): Promise<void> {
    rmSync(this.placeOf(name), { force: true });
    return Promise.resolve();
  }
}
