import { stringify } from "yaml";
import { BACKUP_METRICS } from "../../contract/monitoring.ts";

interface Query {
  readonly query: string;
  readonly metrics: readonly Readonly<Record<string, { readonly usage: string; readonly description: string }>>[];
}

/**
 * Custom queries of the Postgres exporter (`--extend.query-path`), read as `exai_monitor`: the state of the backups, and the
 * connections in place of the exporter's own `pg_stat_activity`, which needs a role that reads all statements. The exporter
 * names a series `<query>_<column>`.
 */
export function backupQueries(): string {
  const queries: Record<string, Query> = {
    exai_backup: {
      query:
        "select schedule, kind, last_success_timestamp_seconds, last_duration_seconds, last_size_bytes, failures_total" +
        " from exai.backup_status",
      metrics: [
        { schedule: { usage: "LABEL", description: "Name of the schedule" } },
        { kind: { usage: "LABEL", description: "full, incremental or differential" } },
        {
          [column("exai_backup", BACKUP_METRICS.lastSuccess)]: {
            usage: "GAUGE",
            description: "When the last successful backup ended, or when the schedule was declared if there is none",
          },
        },
        { last_duration_seconds: { usage: "GAUGE", description: "Duration of the last successful backup" } },
        {
          last_size_bytes: {
            usage: "GAUGE",
            description: "Bytes that the last successful backup added to its repository",
          },
        },
        {
          [column("exai_backup", BACKUP_METRICS.failures)]: {
            usage: "COUNTER",
            description: "Failed backups in the history",
          },
        },
      ],
    },
    exai_wal: {
      // If the segment before the current one is archived, the archive is complete: an idle server writes no
      // segment, and its archive would otherwise look stale. An open segment is closed within seconds.
      query:
        "select extract(epoch from case" +
        " when left(last_archived_wal, 24) >= pg_walfile_name(pg_current_wal_lsn() + 1 - 16777216) then now()" +
        " else coalesce(last_archived_time, 'epoch') end)::double precision as last_archived_timestamp_seconds" +
        " from pg_stat_archiver",
      metrics: [
        {
          [column("exai_wal", BACKUP_METRICS.walLastArchived)]: {
            usage: "GAUGE",
            description: "Time of the last WAL in the archive",
          },
        },
      ],
    },
    exai_repository: {
      query: "select damaged_backups, last_verified_timestamp_seconds from exai.repository_status",
      metrics: [
        {
          [column("exai_repository", BACKUP_METRICS.damaged)]: {
            usage: "GAUGE",
            description: "Backups whose last verification failed",
          },
        },
        { last_verified_timestamp_seconds: { usage: "GAUGE", description: "When a backup was last verified" } },
      ],
    },
    exai_drill: {
      query:
        "select schedule, last_success_timestamp_seconds, last_rto_seconds, last_rpo_seconds, failures_total" +
        " from exai.drill_status",
      metrics: [
        { schedule: { usage: "LABEL", description: "Name of the drills' schedule" } },
        {
          [column("exai_drill", BACKUP_METRICS.lastDrill)]: {
            usage: "GAUGE",
            description: "When the last drill passed, or when the schedule was declared if none has",
          },
        },
        {
          [column("exai_drill", BACKUP_METRICS.drillRto)]: {
            usage: "GAUGE",
            description: "Seconds that the last drill took to restore files, replay the WAL and prove the data",
          },
        },
        {
          [column("exai_drill", BACKUP_METRICS.drillRpo)]: {
            usage: "GAUGE",
            description: "Age of the last restored row when the last drill lost rows, in seconds",
          },
        },
        { failures_total: { usage: "COUNTER", description: "Failed drills" } },
      ],
    },
    pg_stat_activity: {
      query: "select state, count, max_tx_duration from exai.connections()",
      metrics: [
        { state: { usage: "LABEL", description: "State of the connections" } },
        { count: { usage: "GAUGE", description: "Client connections in this state" } },
        { max_tx_duration: { usage: "GAUGE", description: "Duration of the longest transaction, in seconds" } },
      ],
    },
  };
  return stringify(queries, { lineWidth: 0 });
}

/** Column that becomes a series of this name. */
function column(query: string, metric: string): string {
  return metric.slice(query.length + 1);
}
