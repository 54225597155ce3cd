import { BACKUP_METRICS } from "../../contract/monitoring.ts";
import type { ExporterQuery } from "../monitoring/exporter.ts";

/** The state of the backups and of the drills, and the connections of the database. */
export const BACKUP_QUERIES: Readonly<Record<string, ExporterQuery>> = {
  exai_backup: {
    query:
      "select schedule, kind, last_success_timestamp_seconds, last_duration_seconds, last_size_bytes, failures_total" +
      " from exai.backup_status",
    labels: { schedule: "Name of the schedule", kind: "full, incremental or differential" },
    gauges: {
      [column("exai_backup", BACKUP_METRICS.lastSuccess)]:
        "When the last successful backup ended, or when the schedule was declared if there is none",
      last_duration_seconds: "Duration of the last successful backup",
      last_size_bytes: "Bytes that the last successful backup added to its repository",
    },
    counters: { [column("exai_backup", BACKUP_METRICS.failures)]: "Failed backups in the history" },
  },
  exai_wal: {
    // If the segment before the current one is archived, the archive is complete: an idle server writes no
    // segment, and its archive would otherwise look stale. An open segment is closed within seconds.
    query:
      "select extract(epoch from case" +
      " when left(last_archived_wal, 24) >= pg_walfile_name(pg_current_wal_lsn() + 1 - 16777216) then now()" +
      " else coalesce(last_archived_time, 'epoch') end)::double precision as last_archived_timestamp_seconds" +
      " from pg_stat_archiver",
    labels: {},
    gauges: { [column("exai_wal", BACKUP_METRICS.walLastArchived)]: "Time of the last WAL in the archive" },
  },
  exai_repository: {
    query: "select damaged_backups, last_verified_timestamp_seconds from exai.repository_status",
    labels: {},
    gauges: {
      [column("exai_repository", BACKUP_METRICS.damaged)]: "Backups whose last verification failed",
      last_verified_timestamp_seconds: "When a backup was last verified",
    },
  },
  exai_drill: {
    query:
      "select schedule, last_success_timestamp_seconds, last_rto_seconds, last_rpo_seconds, failures_total" +
      " from exai.drill_status",
    labels: { schedule: "Name of the drills' schedule" },
    gauges: {
      [column("exai_drill", BACKUP_METRICS.lastDrill)]:
        "When the last drill passed, or when the schedule was declared if none has",
      [column("exai_drill", BACKUP_METRICS.drillRto)]:
        "Seconds that the last drill took to restore files, replay the WAL and prove the data",
      [column("exai_drill", BACKUP_METRICS.drillRpo)]:
        "Age of the last restored row when the last drill lost rows, in seconds",
    },
    counters: { failures_total: "Failed drills" },
  },
  pg_stat_activity: {
    query: "select state, count, max_tx_duration from exai.connections()",
    labels: { state: "State of the connections" },
    gauges: {
      count: "Client connections in this state",
      max_tx_duration: "Duration of the longest transaction, in seconds",
    },
  },
};

/** Column that becomes a series of this name. */
function column(query: string, metric: string): string {
  return metric.slice(query.length + 1);
}
