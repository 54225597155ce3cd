import { setTimeout as sleep } from "node:timers/promises";
import { withClient } from "./client.ts";
import type { DatabaseUrl } from "./url.ts";

/** Seconds until a backend that does not react to the cancellation of its statement is terminated. */
const CANCEL_SECONDS = 3;

/** Seconds until one that still runs is reported. */
const GIVEN_UP_SECONDS = 15;

/** The server's time, for {@link endBackends}. */
export async function serverTime(database: DatabaseUrl): Promise<string> {
  return withClient(database, async (client) => {
    const { rows } = await client.query<{ now: string }>("select now()::text as now");
    return rows[0]?.now ?? "infinity";
  });
}

/**
 * Cancels what a client that was killed has left in the server, and waits until its backends have ended. A backend that waits
 * for a lock does not notice that its client is gone: it would apply the statement when it gets the lock. Meant are the
 * connections of this user from this machine, with the client's name, since the client was started.
 *
 * @param application name of the client's connections
 * @param since the server's time before the client was started
 * @returns process identifiers of the backends that still run
 */
export async function endBackends(
  database: DatabaseUrl,
  application: string,
  since: string,
): Promise<readonly number[]> {
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  return withClient(database, async (client) => {
    for (;;) {
      const end = elapsed() < CANCEL_SECONDS ? "pg_cancel_backend" : "pg_terminate_backend";
      const { rows } = await client.query<{ pid: number }>(
        `select pid, ${end}(pid) from pg_stat_activity
         where application_name = $1 and backend_start >= $2::timestamptz and pid <> pg_backend_pid()
           and usename = current_user and client_addr is not distinct from inet_client_addr()`,
        [application, since],
      );
      if (rows.length === 0 || elapsed() > GIVEN_UP_SECONDS) return rows.map(({ pid }) => pid);
      await sleep(100);
    }
  });
}
