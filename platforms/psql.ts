import { existsSync } from "node:fs";
import { fix } from "../contract/fix.ts";
import { databaseUrl } from "../operations/migrations/url.ts";
import type { Session } from "../operations/session.ts";

/** Where systems keep the certificate authorities that they trust. */
const AUTHORITIES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/**
 * This machine's psql on a database. The password is in its environment.
 *
 * @param url verified: psql checks the server as the URL requests it. psql itself would only look for certificate authorities in
 *   `~/.postgresql`, so it gets the system's if the URL names none.
 */
export function psqlSession(url: string, args: readonly string[], authorities = AUTHORITIES.find(existsSync)): Session {
  const database = databaseUrl(url);
  const { PGSSLMODE: mode = "", PGSSLROOTCERT: own } = database.tls;
  const trusted = own ?? authorities ?? "system";
  return {
    program: "psql",
    args: [`--dbname=${database.url}`, ...args],
    env: { PGPASSWORD: database.password, ...(mode.startsWith("verify-") ? { PGSSLROOTCERT: trusted } : {}) },
    install: fix`sudo apt-get install postgresql-client (on Fedora: postgresql; with Homebrew: libpq)`,
  };
}
