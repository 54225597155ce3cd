import type { HistoryEntry } from "../rollout/model/journal.ts";
import type { Announcement } from "./announcement.ts";
import type { Receiver } from "./channel.ts";
import { deliver, type DeliveryTimes } from "./deliver.ts";
import type { CursorStore, DeliveryCursor } from "./delivery-cursor.ts";
import { within } from "../within.ts";
import { announcementText } from "./wording.ts";

export interface ChannelQueueOptions {
  readonly channel: Receiver;
  readonly cursors: CursorStore;
  readonly times: DeliveryTimes;
  /** Stops what is under way; nothing is sent afterwards. */
  readonly signal: AbortSignal;
  /** Undefined if an entry is not announced. Called only after the backlog is known. */
  readonly announce: (entry: HistoryEntry) => Announcement | undefined;
  /** Called with each problem. */
  readonly problem: (text: string) => void;
}

/** The announcements of one channel, sent one after the other in the journal's order. */
export class ChannelQueue {
  readonly #options: ChannelQueueOptions;
  /** The work so far; never rejects. */
  #tail: Promise<void> = Promise.resolve();
  /** The cursor at the start; never rejects. Undefined: it could not be read. */
  #read: Promise<{ readonly cursor: DeliveryCursor | undefined } | undefined> = Promise.resolve(undefined);
  /** The journal's sequence up to which nothing is left to announce. */
  #sequence = 0;
  /** Whether the cursor may be written: if the backlog is unknown, a new cursor would skip it. */
  #keeps = true;
  #left = 0;
  #reason = "";

  constructor(options: ChannelQueueOptions) {
    this.#options = options;
  }

  /** Reads the cursor. A history that is read afterwards contains everything that the channel has received. */
  async readCursor(): Promise<void> {
    const { channel, cursors, problem } = this.#options;
    this.#read = this.#inTime(cursors.read(channel.name)).then(
      (cursor) => ({ cursor }),
      (error: unknown) => {
        problem(`the delivery cursor cannot be read (${messageOf(error)}); announcements may be repeated later`);
        return undefined;
      },
    );
    await this.#read;
  }

  /**
   * Continues after the last announcement; a new channel gets no earlier ones.
   *
   * @param sequence the journal's at the start
   * @param history read after {@link readCursor}; undefined if it could not be read
   * @param oldest earliest time of an entry that is announced, milliseconds since 1970
   */
  open(sequence: number, history: Promise<readonly HistoryEntry[] | undefined>, oldest: number): void {
    this.#then(async () => {
      const [read, entries] = await Promise.all([this.#read, history]);
      this.#sequence = sequence;
      if (read === undefined || entries === undefined) {
        this.#keeps = false;
        return;
      }
      const { cursor } = read;
      if (cursor === undefined) return this.#keep((present) => present ?? { sequence, delivered: 0, failed: 0 });
      if (cursor.sequence > sequence) {
        // Another process has continued since; or the journal is a new one, as after `down --volumes`, and shorter.
        const restarted = (entries.at(-1)?.sequence ?? 0) < cursor.sequence;
        const reset = { ...cursor, sequence };
        if (restarted)
          await this.#keep((present) => (present?.sequence === cursor.sequence ? reset : (present ?? reset)));
        return;
      }
      this.#sequence = cursor.sequence;
      for (const entry of entries)
        if (entry.sequence <= sequence && Date.parse(entry.at) > oldest) await this.#handle(entry);
      if (this.#left === 0) this.#sequence = sequence;
    });
  }

  push(entry: HistoryEntry): void {
    this.#then(() => this.#handle(entry));
  }

  /** Waits for everything that was pushed, and reports what is left. */
  async end(): Promise<void> {
    await this.#tail;
    if (this.#left === 0) return;
    this.#options.problem(
      `${String(this.#left)} not delivered yet (${this.#reason}); the next operation on a rollout tries again`,
    );
  }

  #then(work: () => Promise<void>): void {
    this.#tail = this.#tail.then(work).catch((error: unknown) => {
      this.#options.problem(messageOf(error));
    });
  }

  async #handle(entry: HistoryEntry): Promise<void> {
    const { channel, times, signal, announce, problem } = this.#options;
    if (entry.sequence <= this.#sequence) return;
    const announcement = announce(entry);
    if (announcement === undefined) return;
    const delivery = await deliver((now) => channel.pack(announcement, now), times, signal);
    if (delivery.outcome === "stopped") {
      this.#left += 1;
      if (this.#reason === "") this.#reason = delivery.reason;
      return;
    }
    if (delivery.outcome === "failed")
      problem(`"${announcementText(announcement)}" was not delivered: ${delivery.reason}`);
    this.#sequence = entry.sequence;
    const { outcome } = delivery;
    await this.#keep((present = { sequence: 0, delivered: 0, failed: 0 }) => ({
      ...present,
      // Another machine may be further by now.
      sequence: Math.max(present.sequence, entry.sequence),
      [outcome]: present[outcome] + 1,
    }));
  }

  /** A cursor that cannot be written leads to a repetition, which does not stop the other announcements. */
  async #keep(edit: (present: DeliveryCursor | undefined) => DeliveryCursor): Promise<void> {
    const { channel, cursors, problem } = this.#options;
    if (!this.#keeps) return;
    try {
      await this.#inTime(cursors.change(channel.name, edit));
    } catch (error) {
      problem(`the delivery cursor cannot be written (${messageOf(error)}); announcements may be repeated later`);
    }
  }

  #inTime<Result>(work: Promise<Result>): Promise<Result> {
    return within(this.#options.times.attemptSeconds, work, { signal: this.#options.signal });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
