/** How long something may still take when the turn is over, milliseconds: a file needs a few. */
const LAST_MS = 500;

/**
 * Waits for work that nobody else waits for, as long as for a receiver, and hardly at all once the signal has come.
 *
 * @throws Error where it takes longer
 */
export async function inTime<T>(work: Promise<T>, seconds: number, signal: AbortSignal): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timers: NodeJS.Timeout[] = [];
  const give = (milliseconds: number): void => {
    timers.push(
      setTimeout(() => {
        reject(new Error("no answer in time"));
      }, milliseconds),
    );
  };
  const over = (): void => {
    give(LAST_MS);
  };
  give(seconds * 1000);
  if (signal.aborted) over();
  else signal.addEventListener("abort", over, { once: true });
  try {
    return await Promise.race([work, late]);
  } finally {
    signal.removeEventListener("abort", over);
    for (const timer of timers) clearTimeout(timer);
    work.catch(() => undefined); // its late failure is nobody's
  }
}
