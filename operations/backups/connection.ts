import pg from "pg";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import { databaseUrl } from "../migrations/url.ts";

/**
 * Runs work on a connection to the database that holds the queue and the history of backups.
 *
 * @throws UserError `unavailable` if it is unreachable, `not-found` if it does not have the tables yet
 */
export async function withHistory<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = await connectHistory(url);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The connection itself, which the caller ends. @throws UserError as {@link withHistory} */
export async function connectHistory(url: string): Promise<pg.Client> {
  const { full, display } = databaseUrl(url);
  const client = new pg.Client({
    connectionString: full,
    connectionTimeoutMillis: 10_000,
    application_name: "exai backup",
  });
  // The next query reports a server that is gone.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ found: boolean }>(
      "select to_regclass('exai.backup_status') is not null as found",
    );
    if (rows[0]?.found === true) return client;
  } catch (cause) {
    await client.end().catch(() => undefined);
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new UserError("unavailable", display, `cannot be read: ${reason}`, fix`${command("up")}`, { cause });
  }
  await client.end().catch(() => undefined);
  throw new UserError("not-found", display, "has no history of backups yet", fix`${command("migrate apply")}`);
}
