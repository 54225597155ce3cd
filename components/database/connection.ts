import { DATABASE_CA_PATH } from "./paths.ts";

/** Where a hosted database answers. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  /** Of the database. */
  readonly name: string;
  /** Whether {@link DATABASE_CA_PATH} holds the CA certificates that verify the server. Without them, the connection is encrypted but not verified. */
  readonly verified: boolean;
}

/** `host:port/database?options`, without credentials; pure. */
export function connectionUri({ host, port, name, verified }: DatabaseAddress): string {
  const tls = verified ? `sslmode=verify-full&sslrootcert=${DATABASE_CA_PATH}` : "sslmode=require";
  return `${host}:${port}/${name}?${tls}`;
}

/** The same with credentials, in libpq's form; pure. */
export function connectionUrl(address: DatabaseAddress, user: string, password: string): string {
  return `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${connectionUri(address)}`;
}
