import type { Announcer } from "../rollout/ports/announcer.ts";
import type { HistoryEntry } from "../rollout/model/journal.ts";
import { announcementOf } from "./announcement.ts";
import type { Receiver } from "./channel.ts";
import { DELIVERY_TIMES, type DeliveryTimes } from "./deliver.ts";
import { ChannelQueue } from "./channel-queue.ts";
import type { CursorStore } from "./delivery-cursor.ts";
import { within } from "../within.ts";

export interface NotifierOptions {
  readonly stack: string;
  readonly channels: readonly Receiver[];
  readonly cursors: CursorStore;
  /** Problems that are known from the start, reported with the first event. */
  readonly problems?: readonly string[];
  readonly times?: Partial<DeliveryTimes>;
  /** How long the end waits for deliveries that are under way. @default 5 */
  readonly flushSeconds?: number;
}

/** Entries that are older are not announced. */
const NEWS_MILLISECONDS = 24 * 3600 * 1000;

/**
 * Announces transitions to every channel, independently of the others and in the journal's order.
 *
 * The journal's history is the outbox: each channel has a cursor with the last sequence that it received, and the next
 * operation sends the entries after it. If a process is killed between a transition and its announcement, the next `resume`,
 * `abort`, `rollback` or `cutover` sends it; a channel may then receive it twice, with the same identifier.
 */
export class Notifier implements Announcer {
  readonly #queues: readonly ChannelQueue[];
  readonly #stop = new AbortController();
  readonly #times: DeliveryTimes;
  readonly #flushSeconds: number;
  /** The known entries of the journal, oldest first. */
  readonly #entries: HistoryEntry[] = [];
  #problems: string[];

  constructor({ stack, channels, cursors, problems, times, flushSeconds }: NotifierOptions) {
    this.#problems = (problems ?? []).map((text) => `notifications: ${text}`);
    this.#times = { ...DELIVERY_TIMES, ...times };
    this.#flushSeconds = flushSeconds ?? 5;
    const announce = (entry: HistoryEntry) => {
      const before = this.#entries.filter(
        ({ rollout, sequence }) => rollout === entry.rollout && sequence < entry.sequence,
      );
      return announcementOf(stack, entry, before);
    };
    this.#queues = channels.map(
      (channel) =>
        new ChannelQueue({
          ...{ channel, cursors, times: this.#times, signal: this.#stop.signal, announce },
          problem: (text) => this.#problems.push(`notifications to ${channel.name}: ${text}`),
        }),
    );
  }

  begin(sequence: number, history: () => Promise<readonly HistoryEntry[]>): void {
    const cursors = Promise.all(this.#queues.map((queue) => queue.readCursor()));
    const read = () => within(this.#times.attemptSeconds, history(), { signal: this.#stop.signal });
    const entries = cursors.then(read).then(
      (all) => {
        this.#entries.unshift(...all.filter((entry) => entry.sequence <= sequence));
        return all;
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#problems.push(`notifications: the history cannot be read: ${reason}`);
        return undefined;
      },
    );
    for (const queue of this.#queues) queue.open(sequence, entries, Date.now() - NEWS_MILLISECONDS);
  }

  queue(entry: HistoryEntry): void {
    this.#entries.push(entry);
    for (const queue of this.#queues) queue.push(entry);
  }

  problems(): readonly string[] {
    const problems = this.#problems;
    this.#problems = [];
    return problems;
  }

  async end(): Promise<void> {
    const timer = setTimeout(() => {
      this.#stop.abort();
    }, this.#flushSeconds * 1000);
    await Promise.all(this.#queues.map((queue) => queue.end()));
    clearTimeout(timer);
  }
}
