/** What the failure to get a connection says. */
export type Failure = "pool-full" | "down" | "wrong-login";

/** SQLSTATE classes and codes that say that the server, not the statement, is at fault: it starts, stops, or is full. */
const DOWN = /^(08|57P|53)/;

/** Those that say that this login cannot work: a wrong password, an unknown role or database, a missing right to connect. */
const WRONG_LOGIN = /^(28|3D|42501)/;

/** SQLSTATEs of the errors of a pooler itself, which ends the connection with them: PgBouncer's, and Supavisor's. */
const POOLER = ["08P01", "XX000"];

/** What `pg` says if an answer does not come in time. A pool that is full may not say so itself. */
const NO_ANSWER = "Query read timeout";

/** What they say if all connections of the pool, or all places of its clients, are in use. */
const FULL =
  /query_wait_timeout|max_client_conn|max client connections|check out process from the pool|too many clients/i;

interface DatabaseError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly severity?: unknown;
}

/** Whether a pooler, and not the database, has ended the connection or does not answer on it. */
export function isPooler(error: unknown): boolean {
  const { code, message, severity } = error as DatabaseError;
  if (message === NO_ANSWER) return true;
  return severity === "FATAL" && typeof code === "string" && POOLER.includes(code);
}

/** Why there is no connection. */
export function failureOf(error: unknown): Failure {
  const { code, message } = error as DatabaseError;
  if (typeof code === "string" && WRONG_LOGIN.test(code)) return "wrong-login";
  const full = message === NO_ANSWER || (isPooler(error) && typeof message === "string" && FULL.test(message));
  return full ? "pool-full" : "down";
}

/** Whether the connection or the server is gone, and not only the statement refused. */
export function isDown(error: unknown): boolean {
  const { code, message } = error as DatabaseError;
  if (isPooler(error) || (typeof code === "string" && (DOWN.test(code) || /^E[A-Z]+$/.test(code)))) return true;
  return typeof message === "string" && message.startsWith("Connection terminated");
}
