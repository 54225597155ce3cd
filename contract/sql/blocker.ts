/** A session that keeps a migration from a lock. */
export interface LockBlocker {
  /** Process of the server; 0 for a prepared transaction, which has none. */
  readonly pid: number;
  readonly user: string;
  /** What the client calls itself; empty if it does not. */
  readonly application: string;
  /** As in `pg_stat_activity`, e.g. `idle in transaction`. */
  readonly state: string;
  /** When its transaction began, ISO 8601. */
  readonly since?: string | undefined;
  /** Beginning of its last query. */
  readonly query: string;
  /** The relation to be locked, or the kind of lock if it is not one. */
  readonly locked: string;
  /** The lock that the migration waits for, e.g. `AccessExclusiveLock`. */
  readonly mode: string;
}

/** A blocker in a few words; the time is that of its transaction. */
export function blockerText({ pid, user, application, state, since, query, locked }: LockBlocker): string {
  if (pid === 0) return `a prepared transaction (pg_prepared_xacts) locks ${locked}`;
  const name = application === "" ? user : `${user}, ${application}`;
  const begun = since === undefined ? "" : ` since ${since}`;
  return `process ${pid} (${name}; ${state}${begun}) locks ${locked}: ${query}`;
}
