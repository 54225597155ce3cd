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
  /** @param edit what follows from the present standing; asked again where another process was faster */
  change(channel: string, edit: (present: Standing | undefined) => Standing): Promise<void>;
}

/** A standing as it is kept; undefined where nothing is, or nothing that can be read. */
export function parseStanding(text: string | undefined): Standing | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<Standing> | null;
    if (typeof value?.sequence !== "number") return undefined;
    return { sequence: value.sequence, delivered: value.delivered ?? 0, failed: value.failed ?? 0 };
  } catch {
    return undefined;
  }
}

/** `<directory>/<channel>.json`, replaced by rename. On one machine the rollout's lease keeps writers apart. */
export class FileOutbox implements Outbox {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(channel: string): Promise<Standing | undefined> {
    // Without a file the channel begins anew, which at worst leaves something untold.
    return parseStanding(await readFile(this.#path(channel), "utf8").catch(() => undefined));
  }

  async change(channel: string, edit: (present: Standing | undefined) => Standing): Promise<void> {
    const standing = edit(await this.read(channel));
    await mkdir(this.#directory, { recursive: true });
    const temporary = join(this.#directory, `.${randomUUID()}`);
    await writeFile(temporary, JSON.stringify(standing));
    await rename(temporary, this.#path(channel));
  }

  #path(channel: string): string {
    return join(this.#directory, `${channel}.json`);
  }
}
