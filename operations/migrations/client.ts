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
