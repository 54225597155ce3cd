import type { Verdict } from "../../../contract/verdict.ts";
import type { HistoryEntry, Journal } from "../model/journal.ts";
import type { Lease } from "./lease.ts";

/** Where journal and history are stored. */
export interface JournalStore {
  /** @returns undefined before the first rollout */
  read(): Promise<Journal | undefined>;
  /** Shuts earlier holders of the lease out and allows this one to write. */
  open(lease: Lease): Promise<JournalWriter>;
  /** All transitions, oldest first. */
  history(): Promise<readonly HistoryEntry[]>;
  /** Publishes the gates' last check for observers; may be lost. */
  publish(check: GateCheck): Promise<void>;
  /** The last published check. */
  lastCheck(): Promise<GateCheck | undefined>;
}

/** The verdicts of one check of the gates. */
export interface GateCheck {
  /** Sequence of the journal at the time: a check of an earlier state is out of date. */
  readonly sequence: number;
  readonly verdicts: readonly Verdict[];
}

export interface JournalWriter {
  /**
   * Replaces the journal and appends its entry to the history.
   *
   * @throws FencedError if a newer holder writes; UserError if the journal cannot be written
   */
  write(journal: Journal): Promise<void>;
}
