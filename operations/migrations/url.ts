import { UserError } from "../../contract/errors.ts";

/** A database URL taken apart, so that the password can go another way than through arguments and messages. */
export interface DatabaseUrl {
  /** The whole URL, password included: for PostgreSQL's own client alone. */
  readonly full: string;
  /** The URL without its password. */
  readonly url: string;
  readonly password: string;
  /** Host, port and database, for messages. */
  readonly display: string;
}

/** @throws UserError where it is no PostgreSQL URL; the message does not repeat it */
export function databaseUrl(text: string): DatabaseUrl {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw notPostgres(cause);
  }
  if (!["postgres:", "postgresql:"].includes(url.protocol) || url.hostname === "") throw notPostgres();
  const password = decodeURIComponent(url.password);
  url.password = "";
  return { full: text, url: url.href, password, display: `${url.host}${url.pathname}` };
}

function notPostgres(cause?: unknown): UserError {
  const mend = "give postgres://<user>:<password>@<host>:<port>/<database>, special characters percent-encoded";
  return new UserError("database URL", "is not a PostgreSQL URL", mend, undefined, { cause });
}

/** What PostgreSQL's client is given; `seconds` is the longest wait for the connection. */
export function clientOptions(database: DatabaseUrl, seconds = 10): ClientOptions {
  return { connectionString: database.full, connectionTimeoutMillis: seconds * 1000 };
}

interface ClientOptions {
  readonly connectionString: string;
  readonly connectionTimeoutMillis: number;
}
