import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, unwritable } from "../host/durable-files.ts";
import { parseJournal, type HistoryEntry, type Journal } from "../model/journal.ts";
import type { GateCheck, JournalStore, JournalWriter } from "../ports/journal.ts";
import type { Lease } from "../ports/lease.ts";
import { FencedDirectory } from "./fenced-directory.ts";

const JOURNAL = "journal.json";
const HISTORY = "history.jsonl";
const CHECK = "gates.json";

/** `<directory>/journal.json`, replaced by rename, and `<directory>/history.jsonl`, appended to. */
export class FileJournalStore implements JournalStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(): Promise<Journal | undefined> {
    const path = join(this.#directory, JOURNAL);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    return parseJournal(text, path);
  }

  async open(lease: Lease): Promise<JournalWriter> {
    const directory = await FencedDirectory.open(this.#directory, lease.token);
    await this.#repairHistory(directory);
    // Entries that could not be appended are appended by the next write.
    let pending: readonly HistoryEntry[] = [];
    return {
      write: async (journal) => {
        const { entry } = journal;
        await orUnwritable(
          directory.replace(JOURNAL, `${JSON.stringify(journal, undefined, 2)}\n`),
          join(this.#directory, JOURNAL),
          (code) =>
            `the journal cannot be written (${code}), so nothing has changed since ${entry?.from ?? "the start"}`,
        );
        if (entry === undefined) return;
        // The leading line feed ends an incomplete line.
        const torn = pending.length > 0 ? "\n" : "";
        pending = [...pending, entry];
        await orUnwritable(
          directory.append(HISTORY, torn + pending.map((each) => JSON.stringify(each)).join("\n")),
          join(this.#directory, HISTORY),
          (code) => `the history cannot be written (${code}); the journal has ${entry.to}, which has not begun`,
        );
        pending = [];
      },
    };
  }

  async publish(check: GateCheck): Promise<void> {
    const path = join(this.#directory, CHECK);
    await writeFile(`${path}.new`, JSON.stringify(check));
    await rename(`${path}.new`, path);
  }

  async lastCheck(): Promise<GateCheck | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#directory, CHECK), "utf8")) as GateCheck;
    } catch {
      return undefined; // it is for observers, and may be lost
    }
  }

  async history(): Promise<readonly HistoryEntry[]> {
    const text = await readFile(join(this.#directory, HISTORY), "utf8").catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return "";
      throw error;
    });
    return text.split("\n").flatMap((line) => {
      try {
        const entry = line === "" ? null : (JSON.parse(line) as HistoryEntry | null);
        return entry === null ? [] : [entry];
      } catch {
        return []; // an incomplete line after a crash; the next holder appends its entry from the journal
      }
    });
  }

  /** After a crash between the two writes, the history lacks the entry of the journal. */
  async #repairHistory(directory: FencedDirectory): Promise<void> {
    const entry = (await this.read())?.entry;
    if (entry === undefined) return;
    const history = await this.history();
    if (history.some((each) => each.sequence === entry.sequence)) return;
    // The leading line feed ends an incomplete line.
    await directory.append(HISTORY, `\n${JSON.stringify(entry)}`);
  }
}

async function orUnwritable(work: Promise<void>, path: string, problem: (code: string) => string): Promise<void> {
  await work.catch((error: unknown) => {
    throw unwritable(error, path, problem);
  });
}
