/** A task that says what it does while it works. */
export type Task<T> = (emit: (event: T) => void) => Promise<void>;

/**
 * Runs tasks at the same time and yields their events as they come.
 *
 * The first task that fails ends all: `stop` is aborted, the others are awaited, and its error is thrown. The same
 * happens to the tasks when the reader stops early.
 */
export async function* merge<T>(tasks: readonly Task<T>[], stop: AbortController): AsyncGenerator<T, void, void> {
  const events: T[] = [];
  let wake: () => void = () => undefined;
  const failures: unknown[] = [];
  let running = tasks.length;
  const all = tasks.map(async (task) => {
    try {
      await task((event) => {
        events.push(event);
        wake();
      });
    } catch (error) {
      failures.push(error);
      stop.abort(error);
    } finally {
      running -= 1;
      wake();
    }
  });
  try {
    for (;;) {
      const event = events.shift();
      if (event !== undefined) yield event;
      else if (running === 0) break;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    if (running > 0) stop.abort();
    await Promise.all(all);
  }
  if (failures.length > 0) throw failures[0];
}
