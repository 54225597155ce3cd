import { randomBytes } from "node:crypto";
import { z } from "zod";
import { currentUser } from "../rollout/host/process-identity.ts";
import { within } from "../within.ts";

const START = z.object({
  id: z.string(),
  /** When it began, ISO 8601. */
  at: z.string(),
  verb: z.string(),
  /** user@host. */
  who: z.string(),
  /** What it is about: an image, a kind of backup. */
  subject: z.string().optional(),
  reason: z.string().optional(),
});

const END = z.object({
  id: z.string(),
  exitCode: z.number(),
  /** Code of the error that ended it. */
  error: z.string().optional(),
  seconds: z.number(),
});

/** The line that a changing verb writes when it begins. */
export type AuditStart = z.infer<typeof START>;

/** The line that it writes when it ends. */
export type AuditEnd = z.infer<typeof END>;

/** A changing verb. */
export interface AuditEntry {
  readonly id: string;
  /** When it began, ISO 8601. */
  readonly at: string;
  readonly verb: string;
  /** user@host. */
  readonly who: string;
  /** What it is about: an image, a kind of backup. */
  readonly subject?: string;
  readonly reason?: string;
  /** Absent: it still runs, or was killed. */
  readonly outcome?: AuditOutcome;
}

/** How a changing verb ended. */
export interface AuditOutcome {
  readonly exitCode: number;
  /** Code of the error that ended it. */
  readonly error?: string;
  readonly seconds: number;
}

/** The end of a log. */
export interface AuditLog {
  readonly stack: string;
  /** Newest last. */
  readonly entries: readonly AuditEntry[];
  /** Entries that the log has. */
  readonly total: number;
  /** Lines that cannot be read. */
  readonly damaged: number;
}

/** Where the lines of a log are, oldest first. It keeps a bounded number of them. */
export interface AuditStore {
  append(lines: readonly (AuditStart | AuditEnd)[]): Promise<void>;
  lines(): Promise<readonly string[]>;
}

/** The last entries of a log. A damaged line costs only itself. */
export async function readAudit(stack: string, store: AuditStore, last: number): Promise<AuditLog> {
  const { entries, damaged } = entriesOf(await store.lines());
  return { stack, entries: entries.slice(-last), total: entries.length, damaged };
}

/** The entries of lines. An end whose start the store has dropped is left out. */
export function entriesOf(lines: readonly string[]): Pick<AuditLog, "entries" | "damaged"> {
  const entries = new Map<string, AuditEntry>();
  let damaged = 0;
  for (const line of lines) {
    const value = parsed(line);
    const [start, end] = [START.safeParse(value), END.safeParse(value)];
    if (start.success) entries.set(start.data.id, defined(start.data));
    else if (end.success) {
      const { id, ...outcome } = end.data;
      const entry = entries.get(id);
      if (entry !== undefined) entries.set(id, { ...entry, outcome: defined(outcome) });
    } else damaged += 1;
  }
  return { entries: [...entries.values()], damaged };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<T>;
}

/** What a changing verb is, and why it is run. */
export interface AuditedChange {
  readonly verb: string;
  readonly subject?: string | undefined;
  readonly reason?: string | undefined;
}

/** Longest reason or subject that is kept. */
const MOST_CHARACTERS = 1000;

/** The longest wait for the log when a verb has ended, seconds. */
const PATIENCE_SECONDS = 2;

/** Records one verb. */
export class AuditRecord {
  readonly #store: AuditStore;
  readonly #start: AuditStart;
  readonly #begun = performance.now();
  readonly #written: Promise<unknown>;

  /** Writes the start, and does not wait for it. */
  constructor(store: AuditStore, { verb, subject, reason }: AuditedChange) {
    this.#store = store;
    const words = (text: string | undefined) =>
      text === undefined || text === "" ? undefined : text.slice(0, MOST_CHARACTERS);
    const id = randomBytes(6).toString("hex");
    const given = defined({ subject: words(subject), reason: words(reason) });
    this.#start = { id, at: new Date().toISOString(), verb, who: currentUser(), ...given };
    this.#written = store.append([this.#start]).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  /**
   * Writes the end, and the start again if it failed: a first `up` makes what holds the log.
   *
   * @returns why the log lacks it; undefined if it does not
   */
  async end(exitCode: number, error?: string): Promise<unknown> {
    const seconds = Math.round(performance.now() - this.#begun) / 1000;
    const end: AuditEnd = { id: this.#start.id, exitCode, seconds, ...(error === undefined ? {} : { error }) };
    const write = async () => {
      const failed = await this.#written;
      await this.#store.append(failed === undefined ? [end] : [this.#start, end]);
    };
    return within(PATIENCE_SECONDS, write()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
  }
}
