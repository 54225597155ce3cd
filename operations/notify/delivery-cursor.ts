import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** How far the announcements of a channel are. */
export interface DeliveryCursor {
  /** The journal's sequence up to which nothing is left to announce. */
  readonly sequence: number;
  readonly delivered: number;
  /** Refused by the receiver, or too late. */
  readonly failed: number;
}

/** Stores the cursors of the channels for other processes. */
export interface CursorStore {
  /** @returns undefined for a new channel. */
  read(channel: string): Promise<DeliveryCursor | undefined>;
  /** @param edit the next cursor; called again if another process was faster */
  change(channel: string, edit: (present: DeliveryCursor | undefined) => DeliveryCursor): Promise<void>;
}

/** Parses a stored cursor; undefined if there is none that can be parsed. */
export function parseCursor(text: string | undefined): DeliveryCursor | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<DeliveryCursor> | null;
    if (typeof value?.sequence !== "number") return undefined;
    return { sequence: value.sequence, delivered: value.delivered ?? 0, failed: value.failed ?? 0 };
  } catch {
    return undefined;
  }
}

/** `<directory>/<channel>.json`, replaced by rename. On one machine the rollout's lease allows only one writer. */
export class FileCursorStore implements CursorStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(channel: string): Promise<DeliveryCursor | undefined> {
    // Without a file the channel is new; at worst, an announcement is missing.
    return parseCursor(await readFile(this.#path(channel), "utf8").catch(() => undefined));
  }

  async change(channel: string, edit: (present: DeliveryCursor | undefined) => DeliveryCursor): Promise<void> {
    const cursor = edit(await this.read(channel));
    await mkdir(this.#directory, { recursive: true });
    const temporary = join(this.#directory, `.${randomUUID()}`);
    await writeFile(temporary, JSON.stringify(cursor));
    await rename(temporary, this.#path(channel));
  }

  #path(channel: string): string {
    return join(this.#directory, `${channel}.json`);
  }
}
