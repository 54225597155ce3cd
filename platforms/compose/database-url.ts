import type { LocalStack } from "./project.ts";

/** Name under which the program generates the password of the database's owner. */
export const POSTGRES_PASSWORD = "generated-postgres";

/** Connection string of a local database's owner, by the published port on loopback. */
export function localDatabaseUrl({ settings, state }: LocalStack): string {
  return `postgres://postgres:${state.password(POSTGRES_PASSWORD, 48)}@127.0.0.1:${settings.postgresPort}/postgres?sslmode=disable`;
}
