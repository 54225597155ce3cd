import type { StepEvent } from "../../contract/events.ts";
import type { LockBlocker } from "../../contract/sql/blocker.ts";
import { endBackends } from "./backends.ts";
import { watchBlockers } from "./locks.ts";
import { supabase, SUPABASE_APPLICATION } from "./supabase.ts";
import type { DatabaseUrl } from "./url.ts";

export interface PushOptions {
  /** Root of the project that holds supabase/migrations. */
  readonly root: string;
  /** The server's time before the first run. */
  readonly since: string;
  /** PostgreSQL's lock_timeout, seconds. */
  readonly lockTimeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** What became of one run of the CLI. */
export interface Pushed {
  /** The file at which it ended. */
  readonly file?: string | undefined;
  /** Who blocked it last. */
  readonly blockers: readonly LockBlocker[];
  /** Why it failed; absent if it did not. */
  readonly error?: unknown;
}

type Progress = Pick<StepEvent, "detail" | "blockers">;

/** Runs `supabase db push` once, and yields each file that it begins and each session that blocks it. */
export async function* pushOnce(database: DatabaseUrl, options: PushOptions): AsyncGenerator<Progress, Pushed, void> {
  const { root, since, signal } = options;
  const queue: Progress[] = [];
  let wake = (): void => undefined;
  let file: string | undefined;
  let blockers: readonly LockBlocker[] = [];
  const report = (progress: Progress) => {
    queue.push(progress);
    wake();
  };
  const ended = new AbortController();
  const watched = watchBlockers(
    ...([database, SUPABASE_APPLICATION, since] as const),
    (found) => {
      blockers = found;
      report({ detail: `${file ?? ""} waits`, blockers });
    },
    ended.signal,
  );
  const onLine = (line: string) => {
    const begun = /^Applying migration (\S+?)\.\.\.$/.exec(line)?.[1];
    if (begun === undefined) return;
    [file, blockers] = [begun, []];
    report({ detail: begun });
  };
  // At once: the CLI may have started a program that waits for the statement.
  const cancel = () => void endBackends(database, SUPABASE_APPLICATION, since).catch(() => undefined);
  signal?.addEventListener("abort", cancel, { once: true });
  const env = { PGOPTIONS: `${process.env.PGOPTIONS ?? ""} -c lock_timeout=${options.lockTimeoutSeconds}s`.trim() };
  let error: unknown;
  const run = supabase(["db", "push", "--yes", "--include-all"], database, { root, signal, onLine, env })
    .catch((cause: unknown) => {
      error = cause;
    })
    .finally(() => {
      signal?.removeEventListener("abort", cancel);
      ended.abort();
      wake();
    });
  for (;;) {
    for (let progress = queue.shift(); progress !== undefined; progress = queue.shift()) yield progress;
    if (ended.signal.aborted) break;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  await Promise.all([run, watched]);
  return { file, blockers, error };
}
