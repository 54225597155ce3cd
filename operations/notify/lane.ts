import type { HistoryEntry } from "../rollout/journal.ts";
import type { Announcement } from "./announcement.ts";
import type { Receiver } from "./channel.ts";
import { deliver, type DeliveryTimes } from "./deliver.ts";
import type { Outbox, Standing } from "./outbox.ts";

export interface LaneOptions {
  readonly channel: Receiver;
  readonly outbox: Outbox;
  readonly times: DeliveryTimes;
  /** Stops what is under way; nothing is sent afterwards. */
  readonly signal: AbortSignal;
  /** Undefined where an entry is no news. Asked only after the backlog is known. */
  readonly announce: (entry: HistoryEntry) => Announcement | undefined;
  /** Hears of what went wrong. */
  readonly trouble: (text: string) => void;
}

/** One channel's announcements, one after the other in the journal's order. */
export class Lane {
  readonly #options: LaneOptions;
  /** The work so far; never rejects. */
  #tail: Promise<void> = Promise.resolve();
  #standing: Standing = { sequence: 0, delivered: 0, failed: 0 };
  #left = 0;
  #reason = "";

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Begins where the channel stopped; a new channel begins now and hears nothing of the past. */
  open(sequence: number, history: Promise<readonly HistoryEntry[]>, oldest: number): void {
    this.#then(async () => {
      const { channel, outbox } = this.#options;
      const [standing, entries] = await Promise.all([outbox.read(channel.name), history]);
      // A journal that begins anew, as after `down --volumes`, may be behind what an older one had counted.
      if (standing === undefined || standing.sequence > sequence) {
        await this.#move({ delivered: 0, failed: 0, ...standing, sequence });
        return;
      }
      this.#standing = standing;
      for (const entry of entries)
        if (entry.sequence <= sequence && Date.parse(entry.at) > oldest) await this.#handle(entry);
      this.#standing = { ...this.#standing, sequence: this.#left > 0 ? this.#standing.sequence : sequence };
    });
  }

  push(entry: HistoryEntry): void {
    this.#then(() => this.#handle(entry));
  }

  /** Waits for all that was pushed, and says what is left over. */
  async end(): Promise<void> {
    await this.#tail;
    if (this.#left === 0) return;
    this.#options.trouble(
      `${String(this.#left)} not delivered yet (${this.#reason}); the next verb of a rollout tries again`,
    );
  }

  #then(work: () => Promise<void>): void {
    this.#tail = this.#tail.then(work).catch((error: unknown) => {
      this.#options.trouble(error instanceof Error ? error.message : String(error));
    });
  }

  async #handle(entry: HistoryEntry): Promise<void> {
    const { channel, times, signal, announce, trouble } = this.#options;
    if (entry.sequence <= this.#standing.sequence) return;
    const announcement = announce(entry);
    if (announcement === undefined) return;
    const ended = await deliver((now) => channel.pack(announcement, now), times, signal);
    const { delivered, failed } = this.#standing;
    switch (ended.outcome) {
      case "delivered":
        return this.#move({ sequence: entry.sequence, delivered: delivered + 1, failed });
      case "failed":
        trouble(`"${announcement.title}" was not delivered: ${ended.reason}`);
        return this.#move({ sequence: entry.sequence, delivered, failed: failed + 1 });
      case "stopped":
        this.#left += 1;
        if (this.#reason === "") this.#reason = ended.reason;
    }
  }

  async #move(standing: Standing): Promise<void> {
    this.#standing = standing;
    await this.#options.outbox.write(this.#options.channel.name, standing);
  }
}
