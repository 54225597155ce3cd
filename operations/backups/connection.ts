import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import { databaseUrl } from "../migrations/url.ts";

/**
 * Runs work on a connection to the database that holds the queue and the history of backups.
 *
 * @throws UserError where it is out of reach or has not the tables yet
 */
export async function withHistory<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = await connectHistory(url);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The connection itself; its caller ends it. @throws UserError as {@link withHistory} */
export async function connectHistory(url: string): Promise<pg.Client> {
  const { full, display } = databaseUrl(url);
  const client = new pg.Client({
    connectionString: full,
    connectionTimeoutMillis: 10_000,
    application_name: "exai backup",
  });
  // A server that goes away between two queries is told by the next query.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ there: boolean }>(
      "select to_regclass('exai.backup_status') is not null as there",
    );
    if (rows[0]?.there === true) return client;
  } catch (cause) {
    await client.end().catch(() => undefined);
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new UserError("failed", display, `cannot be read: ${reason}`, "./exai up", { cause });
  }
  await client.end().catch(() => undefined);
  throw new UserError("failed", display, "has no history of backups yet", "./exai migrate apply");
}
