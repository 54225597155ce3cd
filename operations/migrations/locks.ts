import type { Client } from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import type { LockBlocker } from "../../contract/sql/blocker.ts";
import { withClient } from "./client.ts";
import type { DatabaseUrl } from "./url.ts";

/** How a migration behaves when another session holds a lock that it needs. */
export interface LockWait {
  /** PostgreSQL's lock_timeout: the longest that it waits for a lock, with all later queries on the table behind it. */
  readonly timeoutSeconds: number;
  /** From the first failed try, seconds in which it is tried again. */
  readonly deadlineSeconds: number;
}

export const LOCK_WAIT: LockWait = { timeoutSeconds: 3, deadlineSeconds: 60 };

/** The lock waits of a stack. */
export function lockWaitOf(settings: {
  readonly migrationLockTimeoutSeconds: number;
  readonly migrationLockDeadlineSeconds: number;
}): LockWait {
  return {
    timeoutSeconds: settings.migrationLockTimeoutSeconds,
    deadlineSeconds: settings.migrationLockDeadlineSeconds,
  };
}

/** Seconds between two looks at the locks: asking for blockers stops the lock manager for a moment. */
const LOOK_SECONDS = 0.5;

/** The longest pause between two tries, seconds. */
const LONGEST_PAUSE = 8;

/**
 * The pause before the next try, seconds: between half and all of a time that doubles. Several migrations that wait for each
 * other's locks do not try at the same moment, and queries that waited behind a try get their turn before the next.
 *
 * @param tries failed so far, from 1
 * @param random in 0..1
 */
export function pauseAfter(tries: number, random = Math.random()): number {
  const longest = Math.min(2 ** (tries - 1), LONGEST_PAUSE);
  return longest * (0.5 + random / 2);
}

/** Sessions on which the connections of a client wait, as {@link endBackends} identifies them. */
export async function lockBlockers(
  client: Client,
  application: string,
  since: string,
): Promise<readonly LockBlocker[]> {
  const { rows } = await client.query<Omit<LockBlocker, "since"> & { since: string | null }>(
    `select blocking.pid, coalesce(holder.usename, '') as user, coalesce(holder.application_name, '') as application,
       coalesce(holder.state, '') as state,
       to_char(holder.xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since,
       left(regexp_replace(trim(coalesce(holder.query, '')), '\\s+', ' ', 'g'), 100) as query,
       coalesce(format('%I.%I', space.nspname, relation.relname), wanted.locktype) as locked, wanted.mode
     from pg_stat_activity as waiting
     join pg_locks as wanted on wanted.pid = waiting.pid and not wanted.granted
     cross join lateral unnest(pg_blocking_pids(waiting.pid)) as blocking (pid)
     left join pg_stat_activity as holder on holder.pid = blocking.pid
     left join pg_class as relation
       on relation.oid = wanted.relation and wanted.database = (select oid from pg_database where datname = current_database())
     left join pg_namespace as space on space.oid = relation.relnamespace
     where waiting.application_name = $1 and waiting.backend_start >= $2::timestamptz
       and waiting.datname = current_database() and waiting.usename = current_user
       and waiting.client_addr is not distinct from inet_client_addr()
     order by holder.xact_start, blocking.pid`,
    [application, since],
  );
  return rows.map(({ since: begun, ...row }) => ({ ...row, since: begun ?? undefined }));
}

/**
 * Reports the blockers of a client until it is aborted, each time that they change. If the database cannot be asked, the
 * migration itself reports it.
 */
export async function watchBlockers(
  database: DatabaseUrl,
  application: string,
  since: string,
  report: (blockers: readonly LockBlocker[]) => void,
  signal: AbortSignal,
): Promise<void> {
  let known = "";
  await withClient(database, async (client) => {
    while (!signal.aborted) {
      const blockers = await lockBlockers(client, application, since);
      const key = JSON.stringify(blockers.map(({ pid, locked, state }) => [pid, locked, state]));
      if (blockers.length > 0 && key !== known) report(blockers);
      known = key;
      await sleep(LOOK_SECONDS * 1000, undefined, { signal });
    }
  }).catch(() => undefined);
}
