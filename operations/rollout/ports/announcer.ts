import type { HistoryEntry } from "../model/journal.ts";

/**
 * Tells people and programs elsewhere what a rollout does. It hears of a transition once that is in the journal, and it
 * never throws, keeps nobody waiting and fails no rollout: what goes wrong is a sentence in {@link Announcer.troubles}.
 */
export interface Announcer {
  /**
   * A holder's turn begins. What an earlier one journalled and did not live to announce is made up for.
   *
   * @param sequence the journal's last write so far
   */
  begin(sequence: number, history: () => Promise<readonly HistoryEntry[]>): void;
  happened(entry: HistoryEntry): void;
  /** What went wrong since the last call. */
  troubles(): readonly string[];
  /** The turn is over: waits some seconds for what is under way. What is left is for the next turn. */
  end(): Promise<void>;
}
