import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { command, fix, onStack } from "../../../contract/fix.ts";
import { RECORDING } from "../../../contract/server.ts";
import { SLOTS, type Slot } from "../../../contract/slots.ts";
import type { Session } from "../../session.ts";
import { StatementCheck, transactionOf } from "../shadow/workload.ts";
import { PrivateFile } from "./file.ts";
import { Reading, recordCommand } from "./reading.ts";
import { Redactor } from "./redact.ts";

export interface RecordOptions {
  /** A new file. */
  readonly out: string;
  /** At most {@link RECORDING.longestSeconds}. The server itself ends the recording then. */
  readonly seconds: number;
  /** Of the transactions, above 0 and at most 1. */
  readonly share: number;
  /** Transactions after which it ends. */
  readonly most: number;
  /** Columns whose values are replaced, without their tables. */
  readonly redact: readonly string[];
  /** A program in a slot. @throws UserError `not-found` if the slot does not run */
  readonly session: (slot: Slot, command: readonly string[]) => Promise<Session>;
  /** Name of the stack; absent for `local`. */
  readonly stack?: string;
  readonly signal: AbortSignal;
}

export interface WorkloadRecorded {
  /** Name of the stack; absent for `local`. */
  readonly stack?: string;
  /** The file, which `branch shadow` reads. */
  readonly file: string;
  /** Slots whose server was recorded. */
  readonly slots: readonly Slot[];
  readonly transactions: number;
  readonly statements: number;
  /** Users for whom the transactions acted. */
  readonly users: number;
  /** Transactions with a statement that `branch shadow` does not replay. */
  readonly leftOut: number;
  /** Transactions that came faster than they could be handed over. */
  readonly dropped: number;
  readonly ended: "time" | "limit" | "interrupted";
  readonly seconds: number;
}

/** Between two reports of the progress, milliseconds. */
const REPORT_MS = 1000;

/** How much later than announced a server may end the recording, seconds. */
const LATE_SECONDS = 5;

/**
 * Records what the servers of both slots ask their database, with roles, claims and values, into a file that only its user can read.
 * Nothing of the database or the servers is set for it: a server records while this process reads, and no longer than `seconds`.
 *
 * @throws UserError if no server records, or none asked anything
 */
export async function* recordWorkload(options: RecordOptions): Operation<WorkloadRecorded> {
  const { seconds, share, session, signal, stack } = options;
  const started = performance.now();
  const sessions = new Map<Slot, Session>();
  const absent: UserError[] = [];
  for (const slot of SLOTS)
    try {
      sessions.set(slot, await session(slot, recordCommand(seconds, share)));
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== "not-found") throw error;
      absent.push(error);
    }
  if (sessions.size === 0 && absent[0] !== undefined) throw absent[0];
  const file = new PrivateFile("--out", options.out);
  const lines = new Lines(file, options);
  const step = { type: "step", id: "record", title: "record the workload" } as const;
  yield { ...step, status: "started", detail: `for ${String(seconds)} s` };
  const readings = [...sessions].map(([slot, each]) => new Reading(slot, each, (text) => lines.add(text)));
  const stop = (): void => {
    for (const reading of readings) reading.stop();
  };
  lines.onFull = stop;
  signal.addEventListener("abort", stop);
  try {
    const recording = await begun(readings, stack);
    for (const reading of readings)
      if (!recording.includes(reading))
        yield { type: "note", level: "warning", message: `slot ${reading.slot} is not recorded: ${reading.problem}` };
    yield { ...step, status: "progress", detail: `recording ${recording.map(({ slot }) => slot).join(" and ")}` };
    if (signal.aborted) stop();
    const ended = Promise.all(recording.map(async (reading) => reading.ended)).then(() => true);
    while (!(await Promise.race([ended, sleep(REPORT_MS, false)]))) {
      yield { ...step, status: "progress", detail: `${String(lines.transactions)} transactions` };
      if (performance.now() - started > (seconds + LATE_SECONDS) * 1000) stop();
    }
    for (const { slot, dropped, problem } of recording)
      if (dropped === undefined)
        yield { type: "note", level: "warning", message: `the recording of slot ${slot} ended early: ${problem}` };
    if (lines.transactions === 0)
      throw new UserError(
        "not-found",
        "recording",
        "no server asked its database anything in this time",
        "record while users send requests, or for longer (--for 10m)",
      );
    yield { ...step, status: "done", seconds: (performance.now() - started) / 1000 };
    return {
      ...(stack === undefined ? {} : { stack }),
      ...{ file: file.path, slots: recording.map(({ slot }) => slot) },
      ...{ transactions: lines.transactions, statements: lines.statements, users: lines.users.size },
      leftOut: lines.leftOut,
      dropped: recording.reduce((sum, { dropped = 0 }) => sum + dropped, 0),
      ended: lines.isFull() ? "limit" : signal.aborted ? "interrupted" : "time",
      seconds: (performance.now() - started) / 1000,
    };
  } catch (error) {
    yield { ...step, status: "failed", seconds: (performance.now() - started) / 1000 };
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await Promise.allSettled(readings.map(({ ended }) => ended));
    file.close();
    if (lines.transactions === 0) file.remove();
  }
}

/** The readings whose server records. @throws UserError if none does */
async function begun(readings: readonly Reading[], stack: string | undefined): Promise<readonly Reading[]> {
  const begins = await Promise.all(readings.map(({ begun: begins }) => begins));
  const recording = readings.filter((_, index) => begins[index]);
  const [first] = readings;
  if (recording.length > 0 || first === undefined) return recording;
  await first.ended;
  throw new UserError(
    "unavailable",
    `slot ${first.slot}`,
    `is not recorded: ${first.problem}`,
    fix`${command(onStack("status", stack))} shows whether it runs; its image needs the program ${RECORDING.program}, and its server a database`,
  );
}

/** What has come of all slots, as lines of the workload. */
class Lines {
  readonly #file: PrivateFile;
  readonly #redactor: Redactor;
  readonly #check = new StatementCheck();
  readonly #most: number;
  onFull: () => void = () => undefined;
  transactions = 0;
  statements = 0;
  leftOut = 0;
  readonly users = new Set<string>();

  constructor(file: PrivateFile, { most, redact }: RecordOptions) {
    this.#file = file;
    this.#most = most;
    this.#redactor = new Redactor(redact);
  }

  isFull(): boolean {
    return this.transactions >= this.#most;
  }

  async add(text: string): Promise<void> {
    if (this.isFull()) return;
    const { role, claims, statements } = transactionOf("the server's recording", text, this.transactions + 1);
    for (const { sql } of statements)
      if ((await this.#check.problem(sql)) !== undefined) {
        this.leftOut += 1;
        return;
      }
    const redacted = await Promise.all(statements.map((each) => this.#redactor.redact(each)));
    // Another slot may have written meanwhile.
    if (this.isFull()) return;
    this.#file.line(JSON.stringify({ role, ...(claims === undefined ? {} : { claims }), statements: redacted }));
    this.transactions += 1;
    this.statements += statements.length;
    if (typeof claims?.sub === "string") this.users.add(claims.sub);
    if (this.isFull()) this.onFull();
  }
}
