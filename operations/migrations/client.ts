import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { clientOptions, type DatabaseUrl } from "./url.ts";

export interface ClientSettings {
  /** Until an unreachable database is given up. @default 10 */
  readonly seconds?: number | undefined;
  /** Name of the connection in `pg_stat_activity`. @default "exai migrate" */
  readonly application?: string;
}

/** Runs work on a connection to a database, which ends after it. */
export async function withClient<Result>(
  database: DatabaseUrl,
  work: (client: pg.Client) => Promise<Result>,
  { seconds, application = "exai migrate" }: ClientSettings = {},
): Promise<Result> {
  const client = new pg.Client({ ...clientOptions(database, seconds), application_name: application });
  // A connection that breaks fails its query. Without a listener it would also end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** How long {@link waitForDatabase} tries, and the pause between two tries, in milliseconds. */
const [ANSWERS_MS, PAUSE_MS] = [30_000, 250];

/**
 * Waits until a database that was started accepts connections at its URL, up to half a minute: on a busy machine, Docker's port has reset
 * connections although the database in its container was healthy. Where PostgreSQL refuses a connection, it does not wait; the next
 * connection says why.
 */
export async function waitForDatabase(database: DatabaseUrl, signal?: AbortSignal): Promise<void> {
  const until = Date.now() + ANSWERS_MS;
  while (!(await answers(database)) && Date.now() < until) await sleep(PAUSE_MS, undefined, { signal });
}

/** SQLSTATE of a server that starts or ends. */
const CANNOT_CONNECT_NOW = "57P03";

/** What the client says of a connection that was closed, or not answered. */
const CLOSED = /^(?:Connection terminated|timeout expired)/;

/** Whether PostgreSQL has accepted or refused a connection; false if it was closed before, or the server starts. */
async function answers(database: DatabaseUrl): Promise<boolean> {
  try {
    await withClient(database, () => Promise.resolve());
    return true;
  } catch (error) {
    const { code = "", message } = error as Partial<NodeJS.ErrnoException> & Error;
    const closed = ["ECONNRESET", "ECONNREFUSED", "EPIPE"].includes(code) || CLOSED.test(message);
    return !closed && code !== CANNOT_CONNECT_NOW;
  }
}
