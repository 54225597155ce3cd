import { createHistogram, performance, type RecordableHistogram } from "node:perf_hooks";

/** Milliseconds between two looks at what is due. */
const TICK_MS = 4;

interface Rhythm {
  readonly interval: number;
  readonly act: () => void;
  due: number;
}

/**
 * Starts work at constant rates, independent of its results: an open model, like real users. One timer serves all rates, and what
 * fell due while the thread was busy is made up for at once, so the rate holds and the delay is measured.
 */
export class Pacer {
  readonly #rhythms: Rhythm[] = [];
  readonly #late: RecordableHistogram = createHistogram();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      this.#tick();
    }, TICK_MS);
  }

  /** Begins a rate; 0 is none. */
  every(perSecond: number, act: () => void): void {
    if (perSecond > 0) this.#rhythms.push({ interval: 1000 / perSecond, act, due: performance.now() });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A quantile of how late work began after it was due, in milliseconds; a tick of it is the timer's own. */
  late(q: number): number {
    return this.#late.percentile(q * 100) / 1000;
  }

  #tick(): void {
    const now = performance.now();
    for (const rhythm of this.#rhythms) {
      for (; rhythm.due <= now; rhythm.due += rhythm.interval) {
        this.#late.record(Math.max(1, Math.round((now - rhythm.due) * 1000)));
        rhythm.act();
      }
    }
  }
}
