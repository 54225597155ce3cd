import type { HistoryEntry, Journal } from "../model/journal.ts";
import type { Lease } from "./lease.ts";

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
