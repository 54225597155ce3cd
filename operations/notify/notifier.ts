import type { Announcer } from "../rollout/ports/announcer.ts";
import type { HistoryEntry } from "../rollout/model/journal.ts";
import { announcementOf } from "./announcement.ts";
import type { Receiver } from "./channel.ts";
import { DELIVERY_TIMES, type DeliveryTimes } from "./deliver.ts";
import { inTime } from "./in-time.ts";
import { Lane } from "./lane.ts";
import type { Outbox } from "./outbox.ts";

export interface NotifierOptions {
  readonly stack: string;
  readonly channels: readonly Receiver[];
  readonly outbox: Outbox;
  /** What is wrong from the start, to be said with the first event. */
  readonly troubles?: readonly string[];
  readonly times?: Partial<DeliveryTimes>;
  /** How long the end of a turn waits for what is under way. @default 5 */
  readonly flushSeconds?: number;
}

/** What is older is no news any more. */
const NEWS_MILLISECONDS = 24 * 3600 * 1000;

/**
 * Announces transitions to every channel, each in its own time and in the journal's order.
 *
 * The journal's history is the outbox: a channel remembers the sequence that it has heard last, and a new turn sends what
 * is behind it. A process that is killed between a transition and its announcement leaves it to the next `resume`,
 * `abort`, `rollback` or `cutover`; a channel may hear it twice then, under the same identifier.
 */
export class Notifier implements Announcer {
  readonly #lanes: readonly Lane[];
  readonly #stop = new AbortController();
  readonly #times: DeliveryTimes;
  readonly #flushSeconds: number;
  /** What this turn knows of the journal, oldest first. */
  readonly #entries: HistoryEntry[] = [];
  #troubles: string[];

  constructor({ stack, channels, outbox, troubles, times, flushSeconds }: NotifierOptions) {
    this.#troubles = (troubles ?? []).map((text) => `notifications: ${text}`);
    this.#times = { ...DELIVERY_TIMES, ...times };
    this.#flushSeconds = flushSeconds ?? 5;
    const announce = (entry: HistoryEntry) => {
      const before = this.#entries.filter(
        ({ rollout, sequence }) => rollout === entry.rollout && sequence < entry.sequence,
      );
      return announcementOf(stack, entry, before);
    };
    this.#lanes = channels.map(
      (channel) =>
        new Lane({
          ...{ channel, outbox, times: this.#times, signal: this.#stop.signal, announce },
          trouble: (text) => this.#troubles.push(`notifications to ${channel.name}: ${text}`),
        }),
    );
  }

  begin(sequence: number, history: () => Promise<readonly HistoryEntry[]>): void {
    const looked = Promise.all(this.#lanes.map((lane) => lane.look()));
    const read = () => inTime(history(), this.#times.attemptSeconds, this.#stop.signal);
    const entries = looked.then(read).then(
      (all) => {
        this.#entries.unshift(...all.filter((entry) => entry.sequence <= sequence));
        return all;
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#troubles.push(`notifications: what was not announced yet cannot be read: ${reason}`);
        return undefined;
      },
    );
    for (const lane of this.#lanes) lane.open(sequence, entries, Date.now() - NEWS_MILLISECONDS);
  }

  happened(entry: HistoryEntry): void {
    this.#entries.push(entry);
    for (const lane of this.#lanes) lane.push(entry);
  }

  troubles(): readonly string[] {
    const troubles = this.#troubles;
    this.#troubles = [];
    return troubles;
  }

  async end(): Promise<void> {
    const timer = setTimeout(() => {
      this.#stop.abort();
    }, this.#flushSeconds * 1000);
    await Promise.all(this.#lanes.map((lane) => lane.end()));
    clearTimeout(timer);
  }
}
