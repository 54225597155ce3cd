import type * as pulumi from "@pulumi/pulumi";
import { SECRETS_DIRECTORY } from "../../contract/server.ts";

/** How the Postgres exporter connects. */
export interface ExporterDatabase {
  /** `host:port/database?options`, without user and password. */
  readonly uri: pulumi.Input<string>;
  /** A role that may read the state of the backups and `exai.connections()`; it need not be a member of pg_monitor. */
  readonly user: pulumi.Input<string>;
}

/** Paths inside the exporter's container. */
export const EXPORTER_PATHS = {
  queries: "/etc/exai/exporter/queries.yaml",
  password: `${SECRETS_DIRECTORY}/postgres-monitor`,
} as const;

/** Environment of the exporter, on both platforms; the password is a file. */
export function exporterEnvironment(database: ExporterDatabase): Readonly<Record<string, pulumi.Input<string>>> {
  return {
    DATA_SOURCE_URI: database.uri,
    DATA_SOURCE_USER: database.user,
    DATA_SOURCE_PASS_FILE: EXPORTER_PATHS.password,
  };
}

/** Arguments of the exporter, on both platforms. */
export function exporterArguments(): readonly string[] {
  return [`--extend.query-path=${EXPORTER_PATHS.queries}`];
}

/** A query of the Postgres exporter. It names a series `<query>_<column>`. */
export interface ExporterQuery {
  readonly query: string;
  /** Columns that are labels, with what they say. */
  readonly labels: Readonly<Record<string, string>>;
  readonly gauges?: Readonly<Record<string, string>>;
  readonly counters?: Readonly<Record<string, string>>;
}
