import { isIP } from "node:net";
import { UserError } from "../../contract/errors.ts";

/** A database URL without its password, which must not appear in arguments or messages. */
export interface DatabaseUrl {
  /** The whole URL with the password: only for PostgreSQL's client. */
  readonly full: string;
  /** The URL without its password. */
  readonly url: string;
  readonly password: string;
  /** Host, port and database, for messages. */
  readonly display: string;
  /** How the connection is encrypted, as libpq's variables: the Supabase CLI ignores these parameters of the URL. */
  readonly tls: Readonly<Record<string, string>>;
}

/** Modes that verify the server. */
const VERIFIED = ["verify-full", "verify-ca"];

/** @throws UserError if it is not a PostgreSQL URL; the message does not repeat it */
export function databaseUrl(text: string): DatabaseUrl {
  const url = parsed(text);
  const password = decodeURIComponent(url.password);
  url.password = "";
  const [mode, certificates] = [url.searchParams.get("sslmode"), url.searchParams.get("sslrootcert")];
  const tls = {
    ...(mode === null ? {} : { PGSSLMODE: mode }),
    ...(certificates === null ? {} : { PGSSLROOTCERT: certificates }),
  };
  return { full: text, url: url.href, password, display: `${url.host}${url.pathname}`, tls };
}

/**
 * The URL of a remote database, so that the connection verifies the server before it sends the password. A URL of this
 * machine's loopback is not changed.
 *
 * @param certificates file with the trusted certificate authorities. @default the system's
 * @throws UserError if the URL itself requests a weaker mode
 */
export function verifiedUrl(text: string, certificates?: string): string {
  const url = parsed(text);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))) return text;
  const mode = url.searchParams.get("sslmode") ?? "verify-full";
  if (!VERIFIED.includes(mode))
    throw new UserError(
      "invalid-setting",
      `${url.host}${url.pathname}`,
      `sslmode=${mode} does not verify the server before the password is sent`,
      "set sslmode=verify-full in the URL, and exai:databaseCa to the certificate from Database, SSL in Supabase's dashboard",
    );
  url.searchParams.set("sslmode", mode);
  if (certificates !== undefined && !url.searchParams.has("sslrootcert"))
    url.searchParams.set("sslrootcert", certificates);
  return url.href;
}

function parsed(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw notPostgres(cause);
  }
  if (!["postgres:", "postgresql:"].includes(url.protocol) || url.hostname === "") throw notPostgres();
  return url;
}

function notPostgres(cause?: unknown): UserError {
  const fix = "use postgres://<user>:<password>@<host>:<port>/<database>, special characters percent-encoded";
  return new UserError("invalid-setting", "database URL", "is not a PostgreSQL URL", fix, { cause });
}

/** Options of PostgreSQL's client; `seconds` limits the wait for the connection. */
export function clientOptions(database: DatabaseUrl, seconds = 10): ClientOptions {
  return { connectionString: database.full, connectionTimeoutMillis: seconds * 1000 };
}

interface ClientOptions {
  readonly connectionString: string;
  readonly connectionTimeoutMillis: number;
}
