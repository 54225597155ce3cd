import { stringify } from "yaml";
import { BACKUP_QUERIES } from "../backups/queries.ts";
import { USE_QUERIES } from "./use-queries.ts";

/**
 * Custom queries of the Postgres exporter (`--extend.query-path`), read as `exai_monitor`: the state of the backups, what users do, and
 * the connections in place of the exporter's own `pg_stat_activity`, which needs a role that reads all statements.
 */
export function exporterQueries(): string {
  const all = { ...BACKUP_QUERIES, ...USE_QUERIES };
  const queries = Object.entries(all).map(([name, { query, labels, gauges = {}, counters = {} }]) => {
    const kinds = { LABEL: labels, GAUGE: gauges, COUNTER: counters };
    const metrics = Object.entries(kinds).flatMap(([usage, columns]) =>
      Object.entries(columns).map(([column, description]) => ({ [column]: { usage, description } })),
    );
    return [name, { query, metrics }];
  });
  return stringify(Object.fromEntries(queries), { lineWidth: 0 });
}
