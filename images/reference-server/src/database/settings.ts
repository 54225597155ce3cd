import type { ClientConfig } from "pg";

/** How the server reaches its database. */
export interface DatabaseSettings {
  /** What `pg` connects with; has the password. */
  readonly connection: Pick<ClientConfig, "host" | "port" | "database" | "user" | "password" | "ssl">;
  /** Most connections of this process. */
  readonly connections: number;
  /** Most requests that wait for a connection. */
  readonly queue: number;
  /** Socket over which a program of the same container records what is asked; absent: nothing can be recorded. */
  readonly recordingSocket?: string;
}

/** What is wrong with a URL; the message does not repeat it, because it has a password. */
export class UrlProblem extends Error {}

/**
 * The connection of a URL as PostgreSQL's own client reads it. `certificates` are trusted authorities in PEM.
 *
 * @throws UrlProblem
 */
export function readUrl(text: string, certificates: string | undefined): DatabaseSettings["connection"] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["postgres:", "postgresql:"].includes(url.protocol) || url.username === "")
    throw new UrlProblem("is not a PostgreSQL URL with a user");
  const mode = url.searchParams.get("sslmode") ?? "verify-full";
  if (mode !== "disable" && mode !== "require" && mode !== "verify-full")
    throw new UrlProblem(`has sslmode=${mode}, and only disable, require and verify-full are supported`);
  const verified = { ...(certificates === undefined ? {} : { ca: certificates }), servername: url.hostname };
  return {
    host: url.hostname,
    port: url.port === "" ? 5432 : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)) || "postgres",
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    ssl: mode === "disable" ? false : mode === "require" ? { rejectUnauthorized: false } : verified,
  };
}
