import { isIP } from "node:net";
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
  /** How the connection is encrypted, as libpq's variables: the Supabase CLI forgets what the URL says of it. */
  readonly tls: Readonly<Record<string, string>>;
}

/** Modes that check who answers. */
const VERIFIED = ["verify-full", "verify-ca"];

/** @throws UserError where it is no PostgreSQL URL; the message does not repeat it */
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
 * The URL of a database elsewhere, so that the connection proves who answers before the password goes to it. What is on
 * this machine's loopback stays as it is.
 *
 * @param certificates file with the authorities that may vouch for it; the system's where absent
 * @throws UserError where the URL itself asks for less
 */
export function verifiedUrl(text: string, certificates?: string): string {
  const url = parsed(text);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))) return text;
  const mode = url.searchParams.get("sslmode") ?? "verify-full";
  if (!VERIFIED.includes(mode))
    throw new UserError(
      "failed",
      `${url.host}${url.pathname}`,
      `sslmode=${mode} does not verify who answers, and the password would go to whoever does`,
      "sslmode=verify-full in the URL; exai:databaseCa holds the certificate that Supabase's dashboard offers under Database, SSL",
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
  const fix = "give postgres://<user>:<password>@<host>:<port>/<database>, special characters percent-encoded";
  return new UserError("failed", "database URL", "is not a PostgreSQL URL", fix, { cause });
}

/** What PostgreSQL's client is given; `seconds` is the longest wait for the connection. */
export function clientOptions(database: DatabaseUrl, seconds = 10): ClientOptions {
  return { connectionString: database.full, connectionTimeoutMillis: seconds * 1000 };
}

interface ClientOptions {
  readonly connectionString: string;
  readonly connectionTimeoutMillis: number;
}
