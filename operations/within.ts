/** How long work may still take once the signal has aborted, milliseconds: enough for a file. */
const AFTER_ABORT_MS = 500;

/**
 * Waits for work no longer than some seconds, and hardly any longer once the signal has aborted.
 *
 * @throws late, or an Error
 */
export async function within<Result>(
  seconds: number,
  work: Promise<Result>,
  { signal, late = new Error("no answer in time") }: { readonly signal?: AbortSignal; readonly late?: Error } = {},
): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timers: NodeJS.Timeout[] = [];
  const limit = (milliseconds: number): void => {
    timers.push(
      setTimeout(() => {
        reject(late);
      }, milliseconds),
    );
  };
  const aborted = (): void => {
    limit(AFTER_ABORT_MS);
  };
  limit(seconds * 1000);
  if (signal?.aborted === true) aborted();
  else signal?.addEventListener("abort", aborted, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal?.removeEventListener("abort", aborted);
    for (const timer of timers) clearTimeout(timer);
    work.catch(() => undefined); // a failure after the time is ignored
  }
}
