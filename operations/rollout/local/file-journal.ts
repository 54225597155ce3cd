import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, unwritable } from "../host/durable-files.ts";
import { parseJournal, type HistoryEntry, type Journal } from "../model/journal.ts";
import type { JournalStore, JournalWriter } from "../ports/journal.ts";
import type { Lease } from "../ports/lease.ts";
import { FencedDirectory } from "./fenced-directory.ts";

const JOURNAL = "journal.json";
const HISTORY = "history.jsonl";

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
    // What the history has not taken yet goes with the next write.
    let untold: readonly HistoryEntry[] = [];
    return {
      write: async (journal) => {
        const { entry } = journal;
        await orUnwritable(
          directory.replace(JOURNAL, `${JSON.stringify(journal, undefined, 2)}\n`),
          join(this.#directory, JOURNAL),
          (code) =>
            `the journal cannot be written (${code}), so nothing was changed after ${entry?.from ?? "the start"}`,
        );
        if (entry === undefined) return;
        // A line that was torn is ended by the line feed in front.
        const torn = untold.length > 0 ? "\n" : "";
        untold = [...untold, entry];
        await orUnwritable(
          directory.append(HISTORY, torn + untold.map((each) => JSON.stringify(each)).join("\n")),
          join(this.#directory, HISTORY),
          (code) => `the history cannot be written (${code}); the journal has ${entry.to}, which is not begun`,
        );
        untold = [];
      },
    };
  }

  async history(): Promise<readonly HistoryEntry[]> {
    const text = await readFile(join(this.#directory, HISTORY), "utf8").catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return "";
      throw error;
    });
    return text.split("\n").flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as HistoryEntry];
      } catch {
        return []; // the line that a crash tore; the journal holds its entry, and the next holder appends it again
      }
    });
  }

  /** A crash between the journal and the history leaves out at most the entry that the journal holds. */
  async #repairHistory(directory: FencedDirectory): Promise<void> {
    const entry = (await this.read())?.entry;
    if (entry === undefined) return;
    const history = await this.history();
    if (history.some((each) => each.sequence === entry.sequence)) return;
    // The line feed in front ends a torn line.
    await directory.append(HISTORY, `\n${JSON.stringify(entry)}`);
  }
}

async function orUnwritable(work: Promise<void>, path: string, problem: (code: string) => string): Promise<void> {
  await work.catch((error: unknown) => {
    throw unwritable(error, path, problem);
  });
}
