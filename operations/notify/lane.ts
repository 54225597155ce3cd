import type { HistoryEntry } from "../rollout/model/journal.ts";
import type { Announcement } from "./announcement.ts";
import type { Receiver } from "./channel.ts";
import { deliver, type DeliveryTimes } from "./deliver.ts";
import { inTime } from "./in-time.ts";
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
  /** How far the channel was when the turn began; never rejects. Undefined: nobody knows. */
  #looked: Promise<{ readonly standing: Standing | undefined } | undefined> = Promise.resolve(undefined);
  /** The journal's sequence up to which there is nothing left to announce. */
  #heard = 0;
  /** Whether that may be kept: where nobody knows what the channel has not heard yet, it would pass over that. */
  #kept = true;
  #left = 0;
  #reason = "";

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Looks how far the channel is. A history that is read afterwards has all that it has heard. */
  async look(): Promise<void> {
    const { channel, outbox, trouble } = this.#options;
    this.#looked = this.#inTime(outbox.read(channel.name)).then(
      (standing) => ({ standing }),
      (error: unknown) => {
        trouble(
          `how far it has been told cannot be read (${messageOf(error)}); the next verb of a rollout may repeat this one's news`,
        );
        return undefined;
      },
    );
    await this.#looked;
  }

  /**
   * Begins where the channel stopped; a new channel begins now and hears nothing of the past.
   *
   * @param sequence the journal's when the turn began
   * @param history read after {@link look}; undefined where it could not be
   */
  open(sequence: number, history: Promise<readonly HistoryEntry[] | undefined>, oldest: number): void {
    this.#then(async () => {
      const [looked, entries] = await Promise.all([this.#looked, history]);
      this.#heard = sequence;
      if (looked === undefined || entries === undefined) {
        this.#kept = false;
        return;
      }
      const { standing } = looked;
      if (standing === undefined) return this.#keep((present) => present ?? { sequence, delivered: 0, failed: 0 });
      if (standing.sequence > sequence) {
        // Somebody else has gone on since; or the journal has begun anew, as after `down --volumes`, and never was so far.
        const anew = (entries.at(-1)?.sequence ?? 0) < standing.sequence;
        const back = { ...standing, sequence };
        if (anew) await this.#keep((present) => (present?.sequence === standing.sequence ? back : (present ?? back)));
        return;
      }
      this.#heard = standing.sequence;
      for (const entry of entries)
        if (entry.sequence <= sequence && Date.parse(entry.at) > oldest) await this.#handle(entry);
      if (this.#left === 0) this.#heard = sequence;
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
      this.#options.trouble(messageOf(error));
    });
  }

  async #handle(entry: HistoryEntry): Promise<void> {
    const { channel, times, signal, announce, trouble } = this.#options;
    if (entry.sequence <= this.#heard) return;
    const announcement = announce(entry);
    if (announcement === undefined) return;
    const ended = await deliver((now) => channel.pack(announcement, now), times, signal);
    if (ended.outcome === "stopped") {
      this.#left += 1;
      if (this.#reason === "") this.#reason = ended.reason;
      return;
    }
    if (ended.outcome === "failed") trouble(`"${announcement.title}" was not delivered: ${ended.reason}`);
    this.#heard = entry.sequence;
    const which = ended.outcome;
    await this.#keep((present = { sequence: 0, delivered: 0, failed: 0 }) => ({
      ...present,
      // Another machine may have told more by now.
      sequence: Math.max(present.sequence, entry.sequence),
      [which]: present[which] + 1,
    }));
  }

  /** What is not kept is heard again, which is no reason to leave the rest untold. */
  async #keep(edit: (present: Standing | undefined) => Standing): Promise<void> {
    const { channel, outbox, trouble } = this.#options;
    if (!this.#kept) return;
    try {
      await this.#inTime(outbox.change(channel.name, edit));
    } catch (error) {
      trouble(`how far it has been told cannot be kept (${messageOf(error)}); it may hear some of it again`);
    }
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return inTime(work, this.#options.times.attemptSeconds, this.#options.signal);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
