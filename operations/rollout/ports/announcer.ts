import type { HistoryEntry } from "../model/journal.ts";

/**
 * Sends the transitions of a rollout to people and other programs, after they are in the journal. It never throws, delays
 * or fails a rollout: its errors are in {@link Announcer.problems}.
 */
export interface Announcer {
  /**
   * Called when a process has acquired the lease. Announces what an earlier holder journalled but did not announce.
   *
   * @param sequence the journal's last write
   */
  begin(sequence: number, history: () => Promise<readonly HistoryEntry[]>): void;
  queue(entry: HistoryEntry): void;
  /** Errors since the last call, as messages. */
  problems(): readonly string[];
  /** Called after the lease is released. Waits a few seconds for pending deliveries; the next holder sends the rest. */
  end(): Promise<void>;
}
