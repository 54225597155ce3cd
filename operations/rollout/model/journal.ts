import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Slot, Weights } from "../../../contract/slots.ts";
import { FIRST_TABLE, type RouteTable } from "../../../contract/envoy/routes.ts";
import { UserError } from "../../../contract/errors.ts";
import { errorCode, FencedDirectory, unwritable } from "../local/fenced-directory.ts";
import type { Verdict } from "../gates/settings.ts";
import type { Lease } from "../ports/lease.ts";
import type { Moment } from "../host/boot-clock.ts";
import { restingMachine, type Machine, type StateName } from "./machine.ts";

/** One transition, as history keeps it. */
export interface HistoryEntry {
  /** Number of the journal's write that made it. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly at: string;
  /** user@host. */
  readonly who: string;
  /** Identifier of the rollout. */
  readonly rollout: string;
  readonly from: StateName;
  readonly to: StateName;
  /** `shift 25 %` and the like. */
  readonly label: string;
  /** Why: the reason given, or what failed. */
  readonly reason: string;
  readonly images: Readonly<Partial<Record<Slot, string>>>;
  readonly weights: Weights;
  /** What the gates said with their numbers; empty where none was asked. */
  readonly verdicts: readonly Verdict[];
}

/** When a slot lost its users. */
export interface Left extends Moment {
  /** Whether its present server has had users; otherwise nobody but testers has met it. */
  readonly users?: true;
}

/** What a controller needs to go on after a crash. Written before a transition's work is done. */
export interface Journal {
  readonly schema: 1;
  /** Grows by one with each write. */
  readonly sequence: number;
  /** Fencing token of the writer. */
  readonly token: number;
  readonly machine: Machine;
  /** The last route table that was to be in force. */
  readonly table: RouteTable;
  /** The image that each slot was given last by a rollout. */
  readonly images: Readonly<Partial<Record<Slot, string>>>;
  /** The candidate's container right after its deployment: what restarts are counted from. */
  readonly deployed?: { readonly id?: string; readonly restarts: number };
  /** Since when each slot has had no users: its drain deadline is counted from here. */
  readonly left?: Readonly<Partial<Record<Slot, Left>>>;
  /** The transition that this write is; absent in the first journal. */
  readonly entry?: HistoryEntry;
}

/** Where the journal lives. On Kubernetes it will be one object, replaced by compare-and-swap. */
export interface JournalStore {
  /** @returns undefined where no rollout has ever been. */
  read(): Promise<Journal | undefined>;
  /** Shuts earlier holders out and lets this one write. */
  open(lease: Lease): Promise<JournalWriter>;
  /** All transitions, oldest first. */
  history(): Promise<readonly HistoryEntry[]>;
}

export interface JournalWriter {
  /**
   * Replaces the journal and adds its entry to the history.
   *
   * @throws FencedError when a newer holder writes; UserError when the disk does not take it.
   */
  write(journal: Journal): Promise<void>;
}

/** The journal of a stack that has never seen a rollout. */
export function firstJournal(table: RouteTable = FIRST_TABLE): Journal {
  const active: Slot = table.weights.green > table.weights.blue ? "green" : "blue";
  return {
    schema: 1,
    sequence: 0,
    token: 0,
    machine: { ...restingMachine(active), evicted: table.evicted, emptied: table.emptied },
    table,
    images: {},
  };
}

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

/** @throws UserError when the text is no journal of a schema that this version knows. */
export function parseJournal(text: string, path: string): Journal {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(
      "failed",
      path,
      "is no JSON",
      "restore it from a backup, or move it away: the router's table stays in force",
    );
  }
  const journal = value as Partial<Journal> | null;
  if (journal?.schema !== 1) {
    throw new UserError(
      "failed",
      path,
      `has schema ${String(journal?.schema)}, and this version knows schema 1`,
      "use the version of exai that wrote it",
    );
  }
  if (journal.machine === undefined || journal.table === undefined || typeof journal.sequence !== "number") {
    throw new UserError("failed", path, "is no complete journal", "restore it from a backup, or move it away");
  }
  return modern(journal as OlderJournal);
}

/** A journal that may be of before slots were emptied on purpose, or of before the table said so. */
type OlderJournal = Omit<Journal, "machine" | "table"> & {
  readonly machine: Omit<Machine, "emptied"> & Partial<Pick<Machine, "emptied">>;
  readonly table: Omit<RouteTable, "emptied"> & Partial<Pick<RouteTable, "emptied">>;
};

/** A journal as this version would have written it. */
function modern(journal: OlderJournal): Journal {
  const { machine, table } = journal;
  // An older version took a slot for empty until its deployment was over.
  const deployed = machine.state.name === "deploy" ? machine.plan?.candidate : undefined;
  const emptied = (machine.emptied ?? []).filter((slot) => slot !== deployed);
  const evicted = [...new Set([...machine.evicted, ...emptied])];
  return {
    ...journal,
    machine: { ...machine, evicted, emptied },
    table: { ...table, emptied: table.emptied ?? [] },
  };
}
