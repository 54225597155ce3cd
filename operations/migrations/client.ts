import pg from "pg";
import { clientOptions, type DatabaseUrl } from "./url.ts";

/** Runs work on a connection to a database, which ends after it. @param seconds until an unreachable database is given up */
export async function withClient<Result>(
  database: DatabaseUrl,
  work: (client: pg.Client) => Promise<Result>,
  seconds?: number,
): Promise<Result> {
  const client = new pg.Client({ ...clientOptions(database, seconds), application_name: "exai migrate" });
  // A connection that breaks fails its query. Without a listener it would also end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
