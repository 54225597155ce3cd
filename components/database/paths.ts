import type * as pulumi from "@pulumi/pulumi";
import { SECRETS_DIRECTORY } from "../../contract/server.ts";

/** UID and GID of all processes of images/postgres. */
export const POSTGRES_UID = 10999;

/** Places inside a container of images/postgres. */
export const POSTGRES_PATHS = {
  /** Volume: the database's files. */
  data: "/var/lib/postgresql/data",
  /** Volume: the encrypted repository of the backups. */
  repository: "/var/lib/pgbackrest",
  /** Volume: the socket that the server shares with the backup runner. */
  socket: "/run/postgresql",
  /** Volume: what drills and sample restores restore. */
  scratch: "/var/lib/exai-scratch",
  prelude: "/etc/exai/prelude.sql",
  password: "/run/secrets/exai/postgres-password",
  monitorPassword: "/run/secrets/exai/postgres-monitor-password",
  serverPassword: "/run/secrets/exai/postgres-server-password",
  passphrase: "/run/secrets/exai/backup-passphrase",
} as const;

/** The role that the server logs in as. */
export const SERVER_ROLE = "exai_server";

/** The pool of the local database: its name, port and process, and where it reads its configuration and its users' passwords. */
export const PGBOUNCER = {
  host: "pgbouncer",
  port: 6432,
  uid: 10003,
  configuration: "/etc/pgbouncer/pgbouncer.ini",
  users: `${SECRETS_DIRECTORY}/pgbouncer-users`,
} as const;

/** Ports of PostgreSQL and of Supabase's pooler, which has the transaction mode on the second. */
export const DATABASE_PORTS = [5432, 6543] as const;

/** CA certificates that verify a hosted database, in the containers of its clients. */
export const DATABASE_CA_PATH = `${SECRETS_DIRECTORY}/database-ca.pem`;

/** Names of the volumes that the server and the backup runner share. */
export interface PostgresVolumes {
  readonly data: pulumi.Input<string>;
  readonly repository: pulumi.Input<string>;
  readonly socket: pulumi.Input<string>;
}
