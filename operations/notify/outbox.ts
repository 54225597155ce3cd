import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** How far a channel is. */
export interface Standing {
  /** The journal's sequence up to which there is nothing left to announce. */
  readonly sequence: number;
  readonly delivered: number;
  /** Given up or refused. */
  readonly failed: number;
}

/** Remembers across processes what each channel has heard. */
export interface Outbox {
  /** @returns undefined for a channel that is new. */
  read(channel: string): Promise<Standing | undefined>;
  write(channel: string, standing: Standing): Promise<void>;
}

/** `<directory>/<channel>.json`, replaced by rename. */
export class FileOutbox implements Outbox {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(channel: string): Promise<Standing | undefined> {
    try {
      const value = JSON.parse(await readFile(this.#path(channel), "utf8")) as Partial<Standing> | null;
      if (typeof value?.sequence !== "number") return undefined;
      return { sequence: value.sequence, delivered: value.delivered ?? 0, failed: value.failed ?? 0 };
    } catch {
      // Nothing there, or nothing that can be read: the channel begins anew, which at worst leaves something untold.
      return undefined;
    }
  }

  async write(channel: string, standing: Standing): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const temporary = join(this.#directory, `.${randomUUID()}`);
    await writeFile(temporary, JSON.stringify(standing));
    await rename(temporary, this.#path(channel));
  }

  #path(channel: string): string {
    return join(this.#directory, `${channel}.json`);
  }
}
